import assert from "node:assert/strict";
import test from "node:test";
import { saying } from "../static/js/recorder.js";

/** With more the header's last buttons leave a window of 1280 pixels. */
const ROOM = 34;

test("what the header says of a recording has room beside its buttons, and each reason words of its own", () => {
  const whys = /** @type {const} */ ([null, "shown", "silent", "starting", "recorder", "full"]);
  const said = whys.map((why) => saying("paused", why));
  for (const words of [...said, saying("on", null)]) assert.ok(words.length > 10 && words.length <= ROOM, words);
  assert.equal(new Set(said).size, whys.length - 1, "ours and another page to sign in at are one to who signs in");
  assert.equal(saying("off", null), "");
});
