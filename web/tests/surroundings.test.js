import assert from "node:assert/strict";
import { test } from "node:test";
import { watchDensity } from "../static/js/surroundings.js";

test("each change of a window's density is heard, on whichever monitor it comes to next", () => {
  /** @type {{ query: string, tell: () => void }[]} */
  const asked = [];
  const ask = (query) => ({ addEventListener: (_type, tell) => void asked.push({ query, tell }) });
  let density = 1;
  let changes = 0;
  watchDensity(/** @type {any} */ (ask), () => density, () => (changes += 1));
  for (const next of [2, 1.25]) {
    density = next;
    asked.at(-1)?.tell();
  }
  assert.equal(changes, 2);
  assert.deepEqual(asked.map(({ query }) => query), ["(resolution: 1dppx)", "(resolution: 2dppx)", "(resolution: 1.25dppx)"]);
});
