/** What a recording page knows of time: where segments lie, and what its timeline says. Pure. */

/** @import { RecordedSegment, TimelineLine } from "../../types/model" */

/** Lines that are read at most; the server ends a timeline at some MB. */
const MOST_LINES = 200_000;
const KINDS = new Set(["start", "stop", "pause", "segment", "input", "rung", "quality", "freeze", "unwatched", "dropped", "lost", "full"]);

/** Why a recording paused, as a timeline has it and as a person reads it; without a word it was a sign-in of ours. */
const WHY = new Map([
  ["shown", "a page to sign in at was shown"],
  ["silent", "the desktop's browser did not say what it shows"],
  ["starting", "the desktop's browser was starting"],
  ["full", "the server's disk was full"],
]);

/** Why the oldest segments went. */
const WENT = new Map([
  ["size", "the recording had its most bytes"],
  ["age", "they were too old"],
  ["total", "all recordings together had their most bytes"],
]);

/** The lines of a timeline that make sense, in their order of time. @param {string} text @returns {TimelineLine[]} */
export function parseTimeline(text) {
  const lines = [];
  for (const line of text.split("\n", MOST_LINES)) {
    try {
      const found = JSON.parse(line);
      if (Number.isFinite(found?.at_ms) && KINDS.has(found.kind)) lines.push(found);
    } catch {
      // A line that was cut off by a crash is none.
    }
  }
  return lines.sort((a, b) => a.at_ms - b.at_ms);
}

/** From when to when the recording is. @param {RecordedSegment[]} segments @param {TimelineLine[]} lines @returns {[number, number]} */
export function extent(segments, lines) {
  const times = segments.flatMap(({ at, duration_ms }) => [at, at + duration_ms]);
  // Without pictures, what happened is all there is.
  const all = times.length ? times : lines.map((line) => line.at_ms);
  const first = all.reduce((a, b) => Math.min(a, b), Infinity);
  const last = all.reduce((a, b) => Math.max(a, b), -Infinity);
  return all.length ? [first, Math.max(last, first + 1)] : [0, 1];
}

/**
 * The segment that shows this moment, or the next one that shows anything.
 * @param {RecordedSegment[]} segments in order @param {number} at
 * @returns {{ index: number, offset: number } | null} `offset` in milliseconds
 */
export function locate(segments, at) {
  const index = segments.findIndex((each) => each.at + each.duration_ms > at);
  const found = segments[index];
  return found ? { index, offset: Math.max(0, at - found.at) } : null;
}

/**
 * When it was paused: from each pause until it went on, and why, as its first line says.
 * @param {TimelineLine[]} lines @param {number} end @returns {{ span: [number, number], why: string }[]}
 */
export function pauses(lines, end) {
  const found = [];
  /** @type {TimelineLine | null} */
  let since = null;
  for (const line of lines) {
    if (line.kind === "pause") since ??= line;
    if ((line.kind === "start" || line.kind === "stop") && since) {
      found.push(pause(since, line.at_ms));
      since = null;
    }
  }
  if (since) found.push(pause(since, Math.max(since.at_ms, end)));
  return found;
}

/** @param {TimelineLine} line @param {number} end @returns {{ span: [number, number], why: string }} */
function pause({ at_ms, why }, end) {
  return { span: [at_ms, end], why: WHY.get(why ?? "") ?? "a sign-in" };
}

/**
 * In which seconds a viewer's picture stood still, and for how much of them, 0 to 1.
 * @param {TimelineLine[]} lines @returns {{ span: [number, number], share: number }[]}
 */
export function freezes(lines) {
  return lines.flatMap(({ kind, at_ms, frozen_ms = NaN, span_ms = NaN }) =>
    kind === "freeze" && span_ms > 0 && frozen_ms >= 0 ? [{ span: [at_ms - span_ms, at_ms], share: Math.min(1, frozen_ms / span_ms) }] : []);
}

/** What a crash in the desktop took, from when to when at most. @param {TimelineLine[]} lines @returns {[number, number][]} */
export function crashes(lines) {
  return lines.flatMap(({ kind, at_ms, until_ms = NaN }) => (kind === "lost" && until_ms > at_ms ? [[at_ms, until_ms]] : []));
}

/**
 * What went for newer segments: which, from when to when as far as the timeline tells, and why.
 * @param {TimelineLine[]} lines @returns {{ first: number, last: number, span: [number, number] | null, why: string }[]}
 */
export function losses(lines) {
  const known = lines.filter(({ kind }) => kind === "segment");
  return drops(lines).map(({ first, last, why }) => {
    const gone = known.filter(({ number = NaN }) => number >= first && number <= last);
    const from = gone.reduce((least, { at_ms }) => Math.min(least, at_ms), Infinity);
    const to = gone.reduce((most, { at_ms, duration_ms = 0 }) => Math.max(most, at_ms + duration_ms), -Infinity);
    return { first, last, span: gone.length ? /** @type {[number, number]} */ ([from, to]) : null, why: WENT.get(why) ?? "newer ones came" };
  });
}

/** Which segments went: those that followed each other for the same reason are told together. @param {TimelineLine[]} lines */
function drops(lines) {
  /** @type {{ first: number, last: number, why: string }[]} */
  const found = [];
  for (const { kind, first = NaN, last = NaN, why = "" } of lines) {
    if (kind !== "dropped" || !Number.isInteger(first) || !Number.isInteger(last)) continue;
    const before = found.at(-1);
    if (before && before.last + 1 === first && before.why === why) before.last = last;
    else found.push({ first, last, why });
  }
  return found;
}

/** From when on nothing more was kept of what happened; null while there is room. @param {TimelineLine[]} lines */
export function fullAt(lines) {
  return lines.find(({ kind }) => kind === "full")?.at_ms ?? null;
}

/** How long, in words. @param {number} ms */
export function lasting(ms) {
  return ms < 1000 ? "under 1 s" : `${Math.round(ms / 1000)} s`;
}

/** The first that is there after this number. @param {RecordedSegment[]} segments in order @param {number} number */
export function after(segments, number) {
  return segments.find((each) => each.number > number) ?? null;
}

/** A viewer of whom no more is heard than this long, in milliseconds, is gone: a heartbeat and a half. */
const HEARD_MS = 15_000;
/** Viewers side by side at most; more share the last lane. */
const LANES = 3;

/** The lines of each viewer. @param {TimelineLine[]} lines @returns {Map<string, TimelineLine[]>} */
export function byViewer(lines) {
  /** @type {Map<string, TimelineLine[]>} */
  const viewers = new Map();
  for (const line of lines) {
    const viewer = String(line.viewer ?? "");
    const said = viewers.get(viewer);
    if (said) said.push(line);
    else viewers.set(viewer, [line]);
  }
  return viewers;
}

/**
 * On which rung each viewer was, from when to when; viewers of the same time lie in lanes beside each other.
 * @param {TimelineLine[]} lines in order @param {number} end
 * @returns {{ span: [number, number], rung: TimelineLine["rung"], lane: number }[]}
 */
export function rungs(lines, end) {
  const viewers = byViewer(lines.filter(({ kind }) => kind === "rung" || kind === "quality"));
  /** @type {number[]} */
  const free = [];
  return [...viewers.values()].flatMap((said) => {
    const turns = said.filter((line) => line.kind === "rung");
    const first = said[0]?.at_ms ?? 0;
    const last = said.at(-1);
    const gone = last?.kind === "quality" ? Math.min(end, last.at_ms + HEARD_MS) : end;
    const found = free.findIndex((at) => at <= first);
    const lane = Math.min(LANES - 1, found < 0 ? free.length : found);
    free[lane] = Math.max(free[lane] ?? 0, gone);
    return turns.map(({ at_ms, rung }, index) => {
      const to = turns[index + 1]?.at_ms ?? Math.max(at_ms, gone);
      return { span: /** @type {[number, number]} */ ([at_ms, to]), rung, lane };
    });
  });
}

/** Minutes and seconds, with hours where there are some. @param {number} ms */
export function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, index) => (index ? String(part).padStart(2, "0") : String(part))).join(":");
}
