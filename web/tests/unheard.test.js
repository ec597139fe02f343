import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS } from "../static/js/limits.js";
import { due, followed } from "../static/js/sent.js";
import { Unheard } from "../static/js/unheard.js";

const EPOCH = 2 ** 30;
const press = (keysym) => /** @type {any} */ (["k", keysym, 1]);
const lift = (keysym) => /** @type {any} */ (["k", keysym, 0]);
const NONE = { kept: [], since: null, lost: 0, dropped: false };
/** @param {any[]} typed by a channel, from number 1 on */
function saying(...typed) {
  const unheard = new Unheard();
  unheard.is(EPOCH);
  typed.forEach((one, at) => unheard.push(at + 1, 1000 + at, one));
  return unheard;
}

test("what noVNC's channel was given and the guest did not acknowledge is left to whoever asks what it took", () => {
  const unheard = saying(press(97), lift(97), press(98), lift(98));
  assert.ok(!unheard.empty);
  unheard.took(2);
  const left = unheard.leave();
  assert.equal(left.epoch, EPOCH);
  assert.deepEqual(due(left, 3, 1100), { typed: [lift(98)], held: [], since: 1003, lost: 0 });
  assert.deepEqual(due(left, null, 1100).lost, 1, "nobody knows: it is said");
  assert.ok(unheard.empty && !unheard.told, "a next channel begins anew");
  assert.equal(unheard.lost(1100), 0);
});

test("an acknowledgement leaves nothing", () => {
  const unheard = saying(press(97), lift(97));
  unheard.took(5);
  assert.ok(unheard.empty);
  assert.deepEqual(unheard.leave().sent, []);
});

test("what is acknowledged by nobody is in doubt for a moment, and then taken for typed", () => {
  const unheard = new Unheard();
  unheard.byRfb(1000, press(97));
  unheard.byRfb(1001, lift(97));
  unheard.byRfb(1900, press(98));
  assert.equal(unheard.lost(1000 + LIMITS.gap.doubtMs), 1);
  assert.equal(unheard.lost(1900), 0, "once");
  // a guest that has never said its number
  unheard.push(1, 3000, press(97));
  unheard.push(2, 3000, lift(97));
  const { sent, epoch } = unheard.leave();
  assert.deepEqual({ sent, epoch }, { sent: [], epoch: 0 });
  assert.equal(unheard.lost(3100), 1);
});

test("once the desktop is given on nothing of it is said", () => {
  const unheard = saying(press(97));
  unheard.byRfb(1000, press(98));
  unheard.forget();
  assert.deepEqual([unheard.leave().sent, unheard.lost(1000)], [[], 0]);
});

test("what was typed after a break follows what was sent before it, or all of it is dropped and counted", () => {
  const left = () => saying(press(97), lift(97)).leave();
  const more = { kept: [press(98), lift(98)], since: 1500, lost: 0, dropped: false };
  assert.deepEqual(due(followed(left(), more), 1, 1600).typed, [lift(97), ...more.kept]);
  assert.deepEqual(followed(left(), NONE), left());
  const dropped = followed({ ...left(), kept: [press(99)] }, { kept: [], since: 1500, lost: 3, dropped: true });
  assert.deepEqual([dropped.sent, dropped.kept, dropped.lost], [[], [], 5]);
});
