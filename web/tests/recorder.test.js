import assert from "node:assert/strict";
import test from "node:test";
import { nothingToSay, saying } from "../static/js/recorder.js";

/** With more the header's last buttons leave a window of 1280 pixels. */
const ROOM = 34;

test("what the header says of a recording has room beside its buttons, and each reason words of its own", () => {
  const whys = /** @type {const} */ ([null, "shown", "silent", "starting", "recorder", "full"]);
  const said = whys.map((why) => saying("paused", why));
  for (const words of [...said, saying("on", null)]) assert.ok(words.length > 10 && words.length <= ROOM, words);
  assert.equal(new Set(said).size, whys.length - 1, "ours and another page to sign in at are one to who signs in");
  assert.equal(saying("off", null), "");
});

test("a session that is over, and of which nothing was recorded, has no panel of recordings", () => {
  assert.equal(nothingToSay({ policy: "owner", bytes: 0 }, "ended"), true);
  assert.equal(nothingToSay({ policy: "always", bytes: 0 }, "failed"), true);
  assert.equal(nothingToSay({ policy: "owner", bytes: 0 }, "ready"), false);
  assert.equal(nothingToSay({ policy: "owner", bytes: 9 }, "ended"), false);
  assert.equal(nothingToSay({ policy: "off", bytes: 0 }, "ready"), true);
});
