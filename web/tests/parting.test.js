import assert from "node:assert/strict";
import { test } from "node:test";
import { guestsEndingOf } from "../static/js/format.js";
import { partingWords, tellParting } from "../static/js/parting.js";
import { toastWords } from "../static/js/toast.js";

const NOON = new Date(2026, 4, 5, 12, 0).getTime();
const MINUTE = 60_000;
const words = (/** @type {number | null} */ link, /** @type {number | null} */ session) => partingWords(link, session, NOON, "en-GB");

test("a guest is told which ends first, the link or the session, and when", () => {
  assert.equal(words(NOON + 125 * MINUTE, NOON + 200 * MINUTE).until, "This link ends at 14:05.");
  assert.equal(words(NOON + 125 * MINUTE, NOON + 60 * MINUTE).until, "The session ends at 13:00.");
  assert.equal(words(null, NOON + 60 * MINUTE).until, "The session ends at 13:00.");
  assert.match(words(NOON + 48 * 60 * MINUTE, null).until, /7 May 2026.*12:00/, "with its day, where that is another");
  assert.equal(words(null, null).until, "");
});

test("in the last minute it is said that it ends soon, and nothing once it is over", () => {
  assert.equal(words(NOON + MINUTE + 1, null).soon, "");
  assert.match(words(NOON + MINUTE, null).soon, /^This link ends in less than a minute/);
  assert.match(words(null, NOON + 1).soon, /^The session ends/);
  assert.deepEqual(words(NOON, NOON + MINUTE), { until: "", soon: "" });
});

test("a session's end is told to a guest in words that are true for a guest", () => {
  assert.doesNotMatch(guestsEndingOf("stopped"), /dashboard|here/);
  assert.match(guestsEndingOf("expired"), /allowed time/);
  assert.equal(guestsEndingOf(null), "It is over.");
});

test("what is said for a while is said whatever else there is", () => {
  const standing = { rung: null, state: "connecting", reachable: false, signedOut: true, unheard: false };
  assert.equal(toastWords({ ...standing, note: "Not here." }), "Not here.");
});

test("the warning of an end is taken back once it has come", (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "Date"], now: NOON });
  /** @type {string[]} */
  const said = [];
  const [viewer, place] = /** @type {any[]} */ ([{ state: "connected", session: null }, { hidden: false, textContent: "" }]);
  tellParting(viewer, NOON + 5000, place, /** @type {any} */ ({ note: (/** @type {string} */ text) => said.push(text) }));
  assert.match(said.join(), /^This link ends/);
  context.mock.timers.tick(8000);
  assert.equal(said.at(-1), "");
  assert.deepEqual([said.length, place.hidden], [2, true]);
});
