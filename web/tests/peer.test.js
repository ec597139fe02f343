import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { LIMITS } from "../static/js/limits.js";

/** @type {any[]} what went out by the control channel, without its numbers */
let sent;
let now = 0;

function channel() {
  const made = Object.assign(new EventTarget(), { readyState: "open", bufferedAmount: 0 });
  made.send = (text) => {
    const [tag, , ...rest] = JSON.parse(text);
    sent.push([tag, ...rest]);
  };
  return made;
}

const make = () => ({
  connection: Object.assign(new EventTarget(), { getConfiguration: () => ({}), setConfiguration: () => {}, close: () => {} }),
  control: channel(), motion: channel(), clipboard: channel(), audio: {}, offer: Promise.resolve({}),
});
globalThis.window = { connections: { make } };
const { Peer } = await import("../static/js/peer.js");

const CONTROL = 0xffe3;
const C = 0x63;

let peer;
let dropped;
beforeEach(() => {
  sent = [];
  now = 1000;
  dropped = [];
  mock.method(performance, "now", () => now);
  peer = new Peer([], { typed: () => {}, dropped: (count) => dropped.push(count), open: () => {} });
});
afterEach(() => mock.restoreAll());

/** @param {...any[]} typed */
const say = (...typed) => typed.forEach((one) => peer.control(...one));
const tap = (keysym) => [["k", keysym, 1], ["k", keysym, 0]];

test("a doubt that passes soon leaves what was typed as it was", () => {
  say(["k", CONTROL, 1]);
  peer.hold(true);
  say(...tap(C), ["k", CONTROL, 0]);
  assert.deepEqual(sent, [["k", CONTROL, 1]]);
  peer.hold(false);
  assert.deepEqual(sent, [["k", CONTROL, 1], ...tap(C), ["k", CONTROL, 0]]);
  assert.deepEqual(dropped, []);
});

test("a doubt that lasts lets go of all keys: one that went up in it would stay down", () => {
  for (const typed of [[["k", CONTROL, 0]], [...tap(C), ["k", CONTROL, 0]]]) {
    sent = [];
    say(["k", CONTROL, 1]);
    peer.hold(true);
    say(...typed);
    now += LIMITS.gap.keepMs + 1;
    peer.hold(false);
    assert.deepEqual(sent, [["k", CONTROL, 1], ["r"]]);
  }
  assert.deepEqual(dropped, [1], "the page says so where a key press was among it");
});

test("another rung is told which modifiers went to this one", () => {
  say(["k", CONTROL, 1]);
  peer.hold(true);
  say(...tap(C));
  const { kept, held } = peer.takeGap();
  assert.deepEqual([kept, held], [tap(C), [CONTROL]]);
});

test("no click and no turn of the wheel overtakes a key that waits; without one they go at once", () => {
  const [click, turn] = [["b", 5, 6, 1, 1], ["w", 5, 6, 0, 1]];
  peer.hold(true);
  say(click, turn);
  assert.deepEqual(sent, [click, turn]);
  say(["k", CONTROL, 1], click, turn, ["k", CONTROL, 0]);
  assert.deepEqual(sent, [click, turn]);
  peer.hold(false);
  assert.deepEqual(sent, [click, turn, ["k", CONTROL, 1], click, turn, ["k", CONTROL, 0]]);
});

test("what is held now is not said before the keys that wait", () => {
  say(["k", CONTROL, 1]);
  peer.hold(true);
  say(["h", [CONTROL]], ["k", C, 1], ["k", CONTROL, 0], ["h", [C]]);
  peer.hold(false);
  say(["h", [C]]);
  assert.deepEqual(sent, [["k", CONTROL, 1], ["h", [CONTROL]], ["k", C, 1], ["k", CONTROL, 0], ["h", [C]]]);
});
