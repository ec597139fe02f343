import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { Ladder } from "../static/js/ladder.js";

/** @type {Ladder} */
let ladder;
let now = 0;
/** @type {string[]} */
let did = [];
const say = (type, rest = {}) => did.push(...ladder.handle(/** @type {any} */ ({ type, now, ...rest })).map((one) => `${one.do} ${one.epoch ?? one.vnc}`));
/** Tick each 100 ms, and answer pings as `answers` says. */
const until = (ms, answers) => {
  for (; now < ms; now += 100) {
    did = [];
    say("tick");
    if (answers && did.includes("ping-vnc 1")) say("vnc-heard", { vnc: 1, what: "answer" });
    did = did.filter((one) => !one.startsWith("ping"));
    if (did.length) return did;
  }
  return [];
};

beforeEach(() => {
  now = 0;
  ladder = new Ladder(() => 1);
  say("ready");
  say("choose", { rung: "vnc" });
  now = 200;
  say("vnc-picture", { vnc: 1 });
  assert.equal(ladder.rung, "vnc");
});

describe("a noVNC that stands still", () => {
  test("is doubted, then lost, and another is opened beside its picture", () => {
    assert.deepEqual(until(10_000, true), []);
    until(12_400, false);
    assert.deepEqual([ladder.doubts, ladder.lost], [true, false], "what is typed waits");
    assert.deepEqual(until(15_000, false), ["open-vnc 2"]);
    assert.deepEqual([ladder.doubts, ladder.lost, ladder.rung], [true, true, "vnc"]);
    assert.ok(now <= 10_000 + 5000, `${now}`);
    say("vnc-picture", { vnc: 2 });
    assert.deepEqual(did.slice(-2), ["show-vnc 2", "close-vnc 1"]);
    assert.deepEqual([ladder.doubts, ladder.lost], [false, false]);
  });

  test("that goes on is live again, and nothing follows it", () => {
    until(10_000, true);
    until(15_000, false);
    did = [];
    say("vnc-heard", { vnc: 1, what: "answer" });
    assert.deepEqual(did, ["close-vnc 2"]);
    assert.deepEqual([ladder.doubts, ladder.lost], [false, false]);
    assert.deepEqual(until(30_000, true), []);
  });

  test("is not one that nobody answers for: a machine without the channel, or whose channel closed", () => {
    assert.deepEqual(until(20_000, false), []);
    assert.deepEqual([ladder.doubts, ladder.lost], [false, false]);
    say("vnc-heard", { vnc: 1, what: "answer" });
    until(21_500, false);
    say("vnc-heard", { vnc: 1, what: "nobody" });
    assert.deepEqual(until(40_000, false), []);
    assert.equal(ladder.doubts, false);
  });

  test("is not one whose picture comes, while a long text keeps the answer", () => {
    until(10_000, true);
    for (let ms = 11_000; ms < 30_000; ms += 1000) {
      say("vnc-heard", { vnc: 1, what: "picture" });
      assert.deepEqual(until(ms, false), []);
      assert.deepEqual([ladder.doubts, ladder.lost], [false, false]);
    }
    assert.deepEqual(until(34_000, false), ["open-vnc 2"]);
  });

  test("while nobody looked is none", () => {
    until(10_000, true);
    say("visible", { visible: false });
    until(20_000, false);
    say("visible", { visible: true });
    assert.deepEqual([ladder.doubts, ladder.lost], [false, false]);
  });
});
