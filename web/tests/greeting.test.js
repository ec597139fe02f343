import assert from "node:assert/strict";
import { test } from "node:test";
import { Greeting } from "../static/js/greeting.js";

const bytes = (/** @type {string} */ text) => [...text].map((one) => one.charCodeAt(0));
const VERSION = bytes("RFB 003.008\n");
const WHOLE = [...VERSION, 2, 2, 1, 0, 0, 0, 0, 5, 0, 2, 208, ...Array(20).fill(0), ...bytes("name")];
const told = (/** @type {number[]} */ heard) => new Uint8Array(heard).buffer;

test("a display is greeted however its bytes are cut, and in three words", () => {
  for (const step of [1, 2, 5, 13, WHOLE.length]) {
    const greeting = new Greeting();
    const said = [];
    for (let at = 0; at < WHOLE.length; at += step) said.push(...greeting.feed(told(WHOLE.slice(at, at + step))));
    assert.deepEqual([said, greeting.size, greeting.wrong], [[...VERSION, 1, 1], { width: 1280, height: 720 }, ""]);
  }
});

test("what is no display is named in words of ours", () => {
  const cases = /** @type {[number[], RegExp][]} */ ([
    [bytes("HTTP/1.1 200"), /does not speak/],
    [[...VERSION, 0], /refuses/],
    [[...VERSION, 1, 2], /refuses/],
    [[...VERSION, 1, 1, 0, 0, 0, 1], /refuses/],
    [[...VERSION, 1, 1, ...Array(28).fill(0)], /no size/],
    [Array(64 * 1024 + 1).fill(0), /without end/],
  ]);
  for (const [heard, why] of cases) {
    const greeting = new Greeting();
    greeting.feed(told(heard));
    assert.match(greeting.wrong, why);
    assert.equal(greeting.feed(told(WHOLE)).length, 0);
  }
});
