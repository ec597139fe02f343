import { ApiError, get, remove } from "./api.js";
import { refuseDrops } from "./drops.js";
import { byId, make, setText } from "./elements.js";
import { amount } from "./exit.js";
import { byViewer, clock, extent, locate, parseTimeline, pauses, rungs } from "./tape.js";

/** @import { Recorded, RecordedSegment, TimelineLine } from "../../types/model" */

const session = location.pathname.split("/").at(-2) ?? "";
const base = `/api/sessions/${session}/recording`;
const video = /** @type {HTMLVideoElement} */ (byId("video"));
const picture = /** @type {HTMLCanvasElement} */ (byId("line"));
/** Rows of the drawing, from the top, in CSS pixels: their middle and half their height. */
const ROWS = /** @type {const} */ ({ segments: [14, 8], rungs: [36, 6], inputs: [62, 14], quality: [100, 18] });
const HEIGHT = 124;
/** Pauses that are told in words. */
const MOST_PAUSES = 100;

/** @type {Recorded} */
let recorded;
/** @type {TimelineLine[]} */
let lines = [];
/** @type {[number, number]} */
let whole = [0, 1];
let playing = 0;

/** Show a segment, from `offset` milliseconds on. @param {number} index @param {number} offset @param {boolean} go */
function show(index, offset, go) {
  const segment = recorded.segments[index];
  if (!segment) return;
  playing = index;
  video.src = `${base}/segments/${segment.number}`;
  video.currentTime = offset / 1000;
  if (go) void video.play().catch(() => {});
  for (const [number, button] of [...byId("segments").querySelectorAll("button")].entries()) {
    button.setAttribute("aria-current", String(number === index));
  }
}

/** Unix milliseconds of what is shown. */
function now() {
  const segment = recorded.segments[playing];
  return segment ? segment.at + video.currentTime * 1000 : whole[0];
}

/** A colour of the page's as a canvas takes it: light-dark() and the like are worked out. @param {string} name */
function colour(name) {
  picture.style.color = `var(${name})`;
  return getComputedStyle(picture).color;
}

function draw() {
  const context = picture.getContext("2d");
  if (!context) return;
  const width = picture.clientWidth;
  const ratio = window.devicePixelRatio || 1;
  picture.width = width * ratio;
  picture.height = HEIGHT * ratio;
  context.scale(ratio, ratio);
  const x = (/** @type {number} */ at) => ((at - whole[0]) / (whole[1] - whole[0])) * width;
  /** @param {[number, number]} span @param {readonly number[]} row @param {string} fill */
  const bar = ([from, to], [middle = 0, half = 0], fill) => {
    context.fillStyle = fill;
    context.fillRect(x(from), middle - half, Math.max(1, x(to) - x(from) - 1), 2 * half);
  };
  for (const { at, duration_ms } of recorded.segments) bar([at, at + duration_ms], ROWS.segments, colour("--accent"));
  for (const { span } of pauses(lines, whole[1])) bar(span, ROWS.segments, colour("--warn"));
  drawRungs(bar);
  drawInputs(context, x, colour("--ink"));
  drawQuality(context, x, colour("--good"));
  context.fillStyle = colour("--danger");
  context.fillRect(x(now()) - 1, 0, 2, HEIGHT);
}

/** @param {(span: [number, number], row: readonly number[], fill: string) => void} bar */
function drawRungs(bar) {
  const found = rungs(lines, whole[1]);
  const lanes = found.reduce((most, { lane }) => Math.max(most, lane + 1), 1);
  const [middle, half] = ROWS.rungs;
  for (const { span, rung, lane } of found) {
    const fill = colour(rung === "webrtc" ? "--good" : rung === "vnc" ? "--danger" : "--warn");
    const row = [middle + half * ((2 * lane + 1) / lanes - 1), half / lanes];
    bar([Math.max(span[0], whole[0]), span[1]], row, fill);
  }
}

/** @param {CanvasRenderingContext2D} context @param {(at: number) => number} x @param {string} fill */
function drawInputs(context, x, fill) {
  const [middle = 0, half = 0] = ROWS.inputs;
  context.fillStyle = fill;
  for (const { kind, at_ms, keys = 0, buttons = 0, wheel = 0 } of lines) {
    if (kind !== "input") continue;
    const height = Math.min(2 * half, 2 + (keys + buttons + wheel));
    context.fillRect(x(at_ms), middle + half - height, Math.max(1, x(at_ms + 1000) - x(at_ms) - 1), height);
  }
}

/** @param {CanvasRenderingContext2D} context @param {(at: number) => number} x @param {string} stroke */
function drawQuality(context, x, stroke) {
  const [middle = 0, half = 0] = ROWS.quality;
  const figures = lines.filter((line) => line.kind === "quality" && Number.isFinite(line.kbps));
  const most = figures.reduce((high, line) => Math.max(high, line.kbps ?? 0), 1);
  context.strokeStyle = stroke;
  context.lineWidth = 1.5;
  for (const own of byViewer(figures).values()) {
    context.beginPath();
    for (const { at_ms, kbps = 0 } of own) context.lineTo(x(at_ms), middle + half - (2 * half * kbps) / most);
    context.stroke();
  }
}

/** @param {RecordedSegment} segment @param {number} index */
function entry(segment, index) {
  const words = `${clock(segment.at - whole[0])}, ${Math.round(segment.duration_ms / 1000)} s`;
  const act = () => show(index, 0, true);
  return make("li", {}, make("button", { type: "button", class: "quiet", onclick: act }, words));
}

/** Why there is no picture of some time, and what may be in the rest, in words. */
function tellPauses() {
  const said = pauses(lines, whole[1]).map(({ span: [from, to], why }) => `${clock(Math.max(0, from - whole[0]))}, for ${Math.round((to - from) / 1000)} s: ${why}`);
  byId("unwatched").hidden = !lines.some(({ kind }) => kind === "unwatched");
  byId("pauses").replaceChildren(...said.slice(0, MOST_PAUSES).map((words) => make("li", {}, words)));
  byId("pauses-title").hidden = !said.length;
}

async function load() {
  recorded = /** @type {Recorded} */ (await get(base));
  const answer = await fetch(`${base}/timeline`, { credentials: "same-origin", cache: "no-store" });
  lines = answer.ok ? parseTimeline(await answer.text()) : [];
  whole = extent(recorded.segments, lines);
  const seconds = recorded.segments.reduce((sum, each) => sum + each.duration_ms, 0);
  const about = `${clock(seconds)} in ${recorded.segments.length} segments, ${amount(recorded.bytes)}`;
  setText(byId("about"), recorded.segments.length ? about : "Nothing was recorded.");
  byId("viewing").hidden = !recorded.segments.length;
  byId("tools").hidden = !recorded.segments.length && !lines.length;
  byId("segments").replaceChildren(...recorded.segments.map(entry));
  tellPauses();
  show(0, 0, false);
  draw();
}

function fail(/** @type {unknown} */ error) {
  setText(byId("about"), /** @type {ApiError} */ (error).message);
}

video.addEventListener("ended", () => show(playing + 1, 0, true));
video.addEventListener("timeupdate", () => {
  setText(byId("when"), `${clock(now() - whole[0])} · ${new Date(now()).toLocaleString()}`);
  draw();
});
picture.addEventListener("click", (event) => {
  const share = event.offsetX / Math.max(1, picture.clientWidth);
  const found = locate(recorded.segments, whole[0] + share * (whole[1] - whole[0]));
  if (found) show(found.index, found.offset, !video.paused);
});
byId("remove").addEventListener("click", () => {
  if (window.confirm("Remove this recording for good?")) remove(base).then(load).catch(fail);
});
window.addEventListener("resize", draw);
/** @type {HTMLAnchorElement} */ (byId("archive")).href = `${base}/archive`;
/** @type {HTMLAnchorElement} */ (byId("back")).href = `/session/${session}`;
refuseDrops();
load().catch(fail);
