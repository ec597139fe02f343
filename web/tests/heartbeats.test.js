import assert from "node:assert/strict";
import { test } from "node:test";
import { Heartbeats } from "../static/js/heartbeats.js";
import { NO_STATS } from "../static/js/statistics.js";

/** @import { Heartbeat, Rung, Summary } from "../types/model" */
/** @import { Signal } from "../static/js/signal.js" */

test("each rung is told when it is seen, however short it is there, and no rung twice", () => {
  const told = /** @type {Heartbeat[]} */ ([]);
  const signal = /** @type {Signal} */ (/** @type {unknown} */ ({ peer: "tab", heartbeat: (/** @type {Heartbeat} */ beat) => told.push(beat) }));
  const view = { state: "live", rung: /** @type {Rung} */ ("webrtc"), epoch: 1, drawn: true, shown: {}, stats: () => Promise.resolve(NO_STATS) };
  const heartbeats = new Heartbeats(signal, view);
  const summary = /** @type {Summary} */ ({ seconds: 2, rung: "webrtc" });
  heartbeats.first();
  heartbeats.looked("webrtc", NO_STATS, null);
  heartbeats.looked("vnc", NO_STATS, summary);
  heartbeats.looked("vnc", NO_STATS, null);
  heartbeats.looked("webrtc", NO_STATS, null);
  assert.deepEqual(told.map(({ rung, quality }) => [rung, quality]), [["webrtc", undefined], ["vnc", summary], ["webrtc", undefined]]);
  assert.ok(told.every(({ peer }) => peer === "tab"));
  assert.deepEqual(told.slice(1).map(({ stats }) => stats), [NO_STATS, NO_STATS], "figures come with it: metrics lose none");
});
