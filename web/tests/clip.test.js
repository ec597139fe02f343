import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CHUNK, Clip } from "../static/js/clip.js";
import { ClipOrder } from "../static/js/clip_order.js";
import { paste, unpastedWords } from "../static/js/clipboard.js";
import { isSoundPng, textItem } from "../static/js/clip_item.js";

/** A channel that keeps what is sent, and a listener that keeps what came. */
function bench(may = [1, 1, 100_000, 4]) {
  /** @type {any[]} */
  const sent = [];
  /** @type {any[]} */
  const came = [];
  const clip = new Clip({ readyState: "open", bufferedAmount: 0, send: (what) => sent.push(what) });
  clip.attend({ item: (item, copies) => came.push({ ...item, copies }), may: () => {} });
  clip.received(JSON.stringify(["may", ...may]));
  return { clip, sent, came, say: (...fields) => clip.received(JSON.stringify(fields)) };
}

describe("the clipboard's channel", () => {
  test("an item goes out in chunks and is settled by the guest's word", async () => {
    const { clip, sent, say } = bench();
    const pushed = clip.push({ type: "text/plain", data: new Uint8Array(CHUNK + 5) });
    say("got", 1);
    assert.equal(await pushed, "got");
    assert.equal(sent[0], JSON.stringify(["put", 1, "text/plain", CHUNK + 5, 4]));
    assert.deepEqual(sent.slice(1).map((chunk) => chunk.length), [CHUNK, 5]);
  });

  test("what the guest does not take is not sent", async () => {
    for (const [may, why] of [[[0, 1, 1000], "policy"], [[1, 0, 3], "size"]]) {
      const { clip, sent } = bench(/** @type {any} */ (may));
      assert.equal(await clip.push(textItem("four")), why);
      assert.deepEqual(sent, []);
    }
    const { clip, say } = bench();
    const first = clip.push(textItem("first"));
    const second = clip.push(textItem("second"));
    assert.equal(await first, "replaced");
    say("got", 1);
    say("no", 2, "slow");
    assert.equal(await second, "slow");
    const third = clip.push(textItem("third"));
    clip.close();
    assert.equal(await third, "closed");
    assert.equal(await clip.push(textItem("late")), "policy");
  });

  test("an item comes in chunks, and is answered", () => {
    const { clip, sent, came, say } = bench();
    say("put", 9, "text/plain", 5, 5);
    clip.received(new TextEncoder().encode("hel").buffer);
    clip.received(new TextEncoder().encode("lo").buffer);
    assert.equal(new TextDecoder().decode(came[0].data), "hello");
    assert.equal(came[0].copies, 5);
    assert.deepEqual(sent, ['["got",9]']);
  });

  test("a guest that means ill gets nowhere", () => {
    const { clip, sent, came, say } = bench();
    for (const size of [0, -1, 1.5, 100_001, 2 ** 32, "5", null]) say("put", 1, "text/plain", size);
    say("put", 1, "text/html", 5);
    say("put", 2, "text/plain", 5);
    clip.received(new ArrayBuffer(6));
    clip.received(new ArrayBuffer(5));
    for (const junk of ["", "{", "[]", "[1]", '["may"]', `["copied${" ".repeat(300)}"]`, '["copied"]', new Blob([]), 7, null]) clip.received(junk);
    assert.deepEqual(came, []);
    assert.ok(sent.every((text) => JSON.parse(text)[0] === "no"));
    assert.ok(!clip.may.up && !clip.may.down, "terms that say nothing allow nothing");
  });
});

test("what comes while nobody listens is kept, and told once by whichever ways it comes", () => {
  const order = new ClipOrder();
  /** @type {any[]} */
  const told = [];
  const ways = [0, 1].map(() => new Clip({ readyState: "open", bufferedAmount: 0, send: () => {} }, order));
  for (const clip of ways) {
    clip.received(JSON.stringify(["may", 1, 1, 100, 2]));
    clip.received(JSON.stringify(["put", 1, "text/plain", 2, 3]));
    clip.received(new TextEncoder().encode("hi").buffer);
  }
  assert.deepEqual(told, []);
  for (const clip of ways) clip.attend({ item: ({ data }, copies) => told.push([new TextDecoder().decode(data), copies]), may: () => {} });
  assert.deepEqual(told, [["hi", 3]]);
  ways[0].received(JSON.stringify(["may", 1, 1, 100, 0]));
  assert.ok(order.first(1), "a guest that begins anew");
});

describe("which clipboard is the newer one", () => {
  const mine = textItem("mine");

  test("the desktop's from its copy on, until both sides know it", () => {
    const order = new ClipOrder();
    order.met(7);
    assert.ok(order.means(mine), "what it copied before this page came is old");
    order.copied(8);
    assert.ok(!order.means(mine));
    order.agree(textItem("theirs"), 8);
    assert.ok(order.means(mine));
    order.copied(9);
    order.agree(textItem("theirs"), 8);
    assert.ok(!order.means(mine), "it has copied again since");
    assert.equal(order.copies, 9);
  });

  test("this computer's when something else is in it after the user was away", () => {
    const order = new ClipOrder();
    order.met(0);
    order.agree(mine, 0);
    order.left();
    order.copied(1);
    assert.ok(!order.means(textItem("other")), "copied before the desktop's");
    order.left();
    assert.ok(!order.means(mine), "the same as before");
    assert.ok(order.means(textItem("more")));
    assert.ok(order.means(textItem("MINE")));
  });

  test("copies of while no way was open count, and a guest that begins anew may", () => {
    const order = new ClipOrder();
    order.met(3);
    order.met(3);
    assert.ok(order.means(mine));
    order.met(5);
    assert.ok(!order.means(mine));
    order.agree(mine, 5);
    order.met(0);
    assert.ok(order.means(mine));
    assert.equal(order.copies, 0);
    for (const junk of [-1, 1.5, "7", null, undefined, 2 ** 60]) order.copied(junk), order.met(junk);
    assert.ok(order.means(mine));
  });
});

test("a picture that would unpack to gigabytes is not sound", () => {
  const head = (width, height) => {
    const data = new Uint8Array(64);
    data.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
    new DataView(data.buffer).setUint32(16, width);
    new DataView(data.buffer).setUint32(20, height);
    return data;
  };
  assert.ok(isSoundPng(head(300, 200)));
  for (const [width, height] of [[0, 5], [100_000, 100_000], [2 ** 31, 1]]) assert.ok(!isSoundPng(head(width, height)));
  assert.ok(!isSoundPng(new Uint8Array(64)));
  assert.ok(!isSoundPng(new Uint8Array(3)));
});

test("what a key was to paste and did not is told to whoever listens", () => {
  const { clip } = bench();
  const told = [];
  clip.unpasted(textItem("lost"), "size");
  clip.attend({ item: () => {}, may: () => {}, unpasted: ({ type }, why) => told.push([type, why]) });
  clip.unpasted(textItem("lost"), "slow");
  assert.deepEqual(told, [["text/plain", "slow"]]);
});

test("a picture that the button does not paste is told of, each reason in words of its own", () => {
  const whys = ["policy", "size", "empty", "broken", "closed", "slow", "older", "of a newer guest"];
  const said = whys.map((why) => unpastedWords("image/png", why));
  assert.ok(said.every((words) => /^The picture was not pasted: \S.*\.$/.test(words)), said.join());
  assert.equal(new Set(said).size, whys.length);
  assert.deepEqual([unpastedWords("image/png", "got"), unpastedWords("text/plain", "replaced")], ["", ""]);
});

test("the button pastes a picture that is taken, and says why it was not", async (context) => {
  const png = { types: ["image/png"], getType: async () => new Blob([new Uint8Array(8)]) };
  const had = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { clipboard: { read: async () => [png] } } });
  context.after(() => (had ? Object.defineProperty(globalThis, "navigator", had) : Reflect.deleteProperty(globalThis, "navigator")));
  for (const [why, words, pasted] of /** @type {const} */ ([["got", /^$/, 1], ["policy", /takes no pictures/, 0], ["size", /larger/, 0]])) {
    const done = { said: "", pasted: 0 };
    const shown = { clip: { push: async () => why }, paste: () => (done.pasted += 1) };
    await paste(/** @type {any} */ ({ shown, focus: () => {} }), (text) => (done.said = text));
    assert.match(done.said, words);
    assert.equal(done.pasted, pasted);
  }
});
