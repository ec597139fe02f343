import assert from "node:assert/strict";
import { test } from "node:test";
import { fateOf } from "../static/js/sound.js";

const open = { webrtc: true, takes: true, drives: true, pinned: false, over: false };

test("an open microphone waits while noVNC is on the screen for a while, and is sent again after it", () => {
  assert.equal(fateOf(open), "sent");
  assert.equal(fateOf({ ...open, webrtc: false, takes: false }), "waits");
});

test("it is shut with what it was opened for", () => {
  assert.equal(fateOf({ ...open, takes: false }), "shut", "the machine takes none");
  assert.equal(fateOf({ ...open, drives: false }), "shut", "somebody else drives");
  assert.equal(fateOf({ ...open, webrtc: false, takes: false, pinned: true }), "shut", "noVNC was chosen");
  assert.equal(fateOf({ ...open, over: true }), "shut");
});
