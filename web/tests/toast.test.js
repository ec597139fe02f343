import assert from "node:assert/strict";
import { test } from "node:test";
import { toastWords } from "../static/js/toast.js";

const well = { rung: /** @type {const} */ ("webrtc"), state: "live", reachable: true, signedOut: false, unheard: false };

test("nothing is said while all is well, nor where there is no picture", () => {
  assert.equal(toastWords(well), "");
  assert.equal(toastWords({ ...well, rung: null, state: "connecting", reachable: false }), "");
});

test("the desktop goes on without the server by WebRTC alone", () => {
  assert.match(toastWords({ ...well, reachable: false }), /server is away.*goes on/);
  assert.match(toastWords({ ...well, rung: "vnc", reachable: false }), /server is away.*stand still/);
  assert.match(toastWords({ ...well, rung: "vnc", state: "lost", reachable: false }), /Reconnecting/);
});

test("what was typed and may be lost is said", () => {
  assert.match(toastWords({ ...well, unheard: true }), /may not have arrived/);
  assert.match(toastWords({ ...well, signedOut: true, unheard: true }), /signed out/);
});
