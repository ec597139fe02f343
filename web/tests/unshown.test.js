import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS } from "../static/js/limits.js";
import { Unshown } from "../static/js/unshown.js";

const { lookMs, looks, brokenMs } = LIMITS.unshown;

/** The time of the look that gave the connection up, of looks each `every` ms. */
function givenUp(decodedAt, every) {
  const unshown = new Unshown();
  for (let now = 0; now < 60_000; now += every) if (unshown.look(now, now >= decodedAt ? 1 + now : 0)) return now;
  return null;
}

test("a connection that has decoded nothing yet is waited for", () => assert.equal(givenUp(Infinity, lookMs), null));

test("one that has, and of which nothing is drawn, is given up soon", () => {
  const at = givenUp(1200, lookMs);
  assert.ok(at >= 1200 + brokenMs && at <= 1200 + brokenMs + 2 * lookMs, `${at}`);
});

test("a busy page looks as often before it gives up", () => {
  const at = givenUp(1000, 1000);
  assert.equal(at, 1000 * looks);
});

test("a browser that counts nothing is believed", () => {
  const unshown = new Unshown();
  for (let now = 0; now < 10_000; now += 100) assert.equal(unshown.look(now, null), false);
});
