import assert from "node:assert/strict";
import { test } from "node:test";
import { after, clock, crashes, extent, freezes, fullAt, lasting, locate, losses, parseTimeline, pauses, rungs } from "../static/js/tape.js";

/** @import { TimelineLine } from "../types/model" */

const segment = (/** @type {number} */ number, /** @type {number} */ at, /** @type {number} */ duration_ms) => ({
  number, at, duration_ms, width: 64, height: 64, bytes: 9,
});
const SEGMENTS = [segment(1, 1000, 500), segment(2, 3000, 1000)];

test("a timeline is read line by line, and what is no line is left out", () => {
  const text = '{"at_ms":5,"kind":"pause"}\n{"at_ms":2,"kind":"rung","rung":"vnc"}\nnot json\n[]\nnull\n{"at_ms":"x","kind":"pause"}\n{"at_ms":1,"kind":"<b>"}\n{"at_ms":3,';
  assert.deepEqual(parseTimeline(text).map(({ at_ms, kind }) => [at_ms, kind]), [[2, "rung"], [5, "pause"]]);
});

test("a recording is from its first picture to its last", () => {
  assert.deepEqual(extent(SEGMENTS, []), [1000, 4000]);
  assert.deepEqual(extent([], [{ at_ms: 7, kind: "pause" }]), [7, 8]);
  assert.deepEqual(extent([], []), [0, 1]);
});

test("a moment is in its segment, or in the next that there is", () => {
  assert.deepEqual(locate(SEGMENTS, 1200), { index: 0, offset: 200 });
  assert.deepEqual(locate(SEGMENTS, 2000), { index: 1, offset: 0 });
  assert.deepEqual(locate(SEGMENTS, 3999), { index: 1, offset: 999 });
  assert.equal(locate(SEGMENTS, 4000), null);
});

test("pauses last until it went on", () => {
  const lines = /** @type {const} */ ([["start", 1], ["pause", 5], ["pause", 6], ["start", 9], ["pause", 11]]).map(([kind, at_ms]) => ({ kind, at_ms }));
  assert.deepEqual(pauses(lines, 20).map(({ span }) => span), [[5, 9], [11, 20]]);
  const why = (/** @type {string | undefined} */ word) => pauses([{ kind: "pause", at_ms: 1, ...(word && { why: word }) }], 2)[0]?.why;
  assert.equal(why("full"), "the server's disk was full");
  assert.equal(why(undefined), "a sign-in");
  assert.equal(why("<b>"), "a sign-in", "words of a page that knows fewer");
});

test("what went for newer segments is told, with its time where the timeline has it", () => {
  const lines = parseTimeline(
    ['{"at_ms":10,"kind":"segment","number":1,"duration_ms":5}', '{"at_ms":20,"kind":"segment","number":2,"duration_ms":7}',
      '{"at_ms":30,"kind":"segment","number":3,"duration_ms":5}', '{"at_ms":40,"kind":"dropped","why":"size","first":1,"last":1}', '{"at_ms":41,"kind":"dropped","why":"size","first":2,"last":2}',
      '{"at_ms":50,"kind":"dropped","why":"<b>","first":7,"last":7}', '{"at_ms":60,"kind":"dropped","first":"x"}'].join("\n"),
  );
  assert.deepEqual(losses(lines), [
    { first: 1, last: 2, span: [10, 27], why: "the recording had its most bytes" },
    { first: 7, last: 7, span: null, why: "newer ones came" },
  ]);
});

test("what a crash took is told, from when to when", () => {
  const text = '{"at_ms":5,"kind":"lost","why":"crashed","until_ms":9}\n{"at_ms":6,"kind":"lost","until_ms":"x"}\n{"at_ms":7,"kind":"lost"}';
  assert.deepEqual(crashes(parseTimeline(text)), [[5, 9]]);
});

test("a viewer's freezes lie in the seconds that it told of together", () => {
  const line = (/** @type {object} */ more) => JSON.stringify({ at_ms: 9000, kind: "freeze", viewer: "a", freezes: 1, ...more });
  const lines = [line({ frozen_ms: 1250, span_ms: 5000 }), line({ frozen_ms: 9000, span_ms: 5000 }), line({ frozen_ms: "x", span_ms: 5000 }), line({ frozen_ms: 1, span_ms: 0 }), line({})];
  assert.deepEqual(freezes(parseTimeline(lines.join("\n"))), [{ span: [4000, 9000], share: 0.25 }, { span: [4000, 9000], share: 1 }]);
});

test("a full timeline says from when on it is", () => {
  assert.equal(fullAt(parseTimeline('{"at_ms":9,"kind":"full"}\n{"at_ms":3,"kind":"pause"}')), 9);
  assert.equal(fullAt([]), null);
});

test("after a segment that went comes the next that is there", () => {
  assert.equal(after(SEGMENTS, 1)?.number, 2);
  assert.equal(after([segment(5, 0, 1), segment(9, 5, 1)], 2)?.number, 5);
  assert.equal(after(SEGMENTS, 2), null);
});

test("less than a second is not none", () => {
  assert.deepEqual([0, 430, 999, 1000, 8600].map(lasting), ["under 1 s", "under 1 s", "under 1 s", "1 s", "9 s"]);
});

test("each viewer's rungs are its own, beside those of another", () => {
  const said = (/** @type {number} */ at_ms, /** @type {string} */ viewer, /** @type {string} */ rung) => ({ at_ms, kind: "rung", viewer, rung });
  const lines = /** @type {TimelineLine[]} */ ([said(10, "a", "webrtc"), said(20, "b", "vnc"), said(30, "b", "webrtc"), { at_ms: 40, kind: "quality", viewer: "b" }, said(50_000, "c", "vnc")]);
  assert.deepEqual(rungs(lines, 60_000), [
    { span: [10, 60_000], rung: "webrtc", lane: 0 },
    { span: [20, 30], rung: "vnc", lane: 1 },
    { span: [30, 15_040], rung: "webrtc", lane: 1 },
    { span: [50_000, 60_000], rung: "vnc", lane: 1 },
  ]);
  assert.deepEqual(rungs([{ at_ms: 1, kind: "rung", rung: "vnc" }], 9), [{ span: [1, 9], rung: "vnc", lane: 0 }]);
  const crowd = Array.from({ length: 9 }, (_, index) => said(index, String(index), "vnc"));
  assert.deepEqual(rungs(/** @type {TimelineLine[]} */ (crowd), 60).map(({ lane }) => lane), [0, 1, 2, 2, 2, 2, 2, 2, 2]);
});

test("a clock", () => {
  assert.deepEqual([0, 61_000, 3_600_000 + 65_000, -5].map(clock), ["0:00", "1:01", "1:01:05", "0:00"]);
});
