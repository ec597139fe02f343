import { ApiError, get, remove } from "./api.js";
import { refuseDrops } from "./drops.js";
import { byId, make, setText } from "./elements.js";
import { amount } from "./exit.js";
import { LEFT, drawTape } from "./tape_drawing.js";
import { after, clock, crashes, extent, fullAt, lasting, locate, losses, parseTimeline, pauses } from "./tape.js";

/** @import { Recorded, RecordedSegment, TimelineLine } from "../../types/model" */

const session = location.pathname.split("/").at(-2) ?? "";
const base = `/api/sessions/${session}/recording`;
const video = /** @type {HTMLVideoElement} */ (byId("video"));
const picture = /** @type {HTMLCanvasElement} */ (byId("line"));
/** A recording that goes on is asked for what is new. */
const LOOK_MS = 4000;
/** Pauses, and segments that went, that are told in words. */
const MOST_GAPS = 100;

/** @type {Recorded} */
let recorded;
/** @type {TimelineLine[]} */
let lines = [];
/** @type {[number, number]} */
let whole = [0, 1];
/** The number of the segment that is shown; 0: none yet. */
let playing = 0;
/** It is to be played; a video that fails says of itself that it is paused. */
let goes = false;
/** The entries of segments, by their number: they stay while these do, and keep the focus. @type {Map<number, HTMLElement>} */
const entries = new Map();

/** Show a segment, from `offset` milliseconds on. @param {RecordedSegment | null | undefined} segment @param {number} offset @param {boolean} go */
function show(segment, offset, go) {
  if (!segment) return;
  playing = segment.number;
  goes = go;
  video.src = `${base}/segments/${segment.number}`;
  video.currentTime = offset / 1000;
  if (go) void video.play().catch(() => {});
  mark();
}

function mark() {
  for (const [number, item] of entries) item.firstElementChild?.setAttribute("aria-current", String(number === playing));
}

/** Unix milliseconds of what is shown. */
function now() {
  const segment = recorded.segments.find(({ number }) => number === playing);
  return segment ? segment.at + video.currentTime * 1000 : whole[0];
}

function draw() {
  drawTape(picture, { segments: recorded.segments, lines, whole, now: now() });
}

/** @param {RecordedSegment} segment */
function entry(segment) {
  const button = make("button", { type: "button", class: "quiet" });
  button.addEventListener("click", () => {
    setText(byId("gone"), "");
    show(segment, 0, true);
  });
  return make("li", {}, button);
}

/** The list of segments: what went goes, what came is added, the rest stays as it is. */
function list() {
  const there = new Set(recorded.segments.map(({ number }) => number));
  for (const [number, item] of entries) {
    if (there.has(number)) continue;
    item.remove();
    entries.delete(number);
  }
  for (const segment of recorded.segments) {
    const item = entries.get(segment.number) ?? entry(segment);
    entries.set(segment.number, item);
    setText(/** @type {Element} */ (item.firstElementChild), `${clock(segment.at - whole[0])}, ${lasting(segment.duration_ms)}`);
    if (!item.parentElement) byId("segments").append(item);
  }
  mark();
}

/** Why there is no picture of some time, and what may be in the rest, in words. */
function tellGaps() {
  const since = (/** @type {number} */ at) => clock(Math.max(0, at - whole[0]));
  const went = losses(lines).map(({ first, last, span, why }) => {
    const when = span ? ` (${span.map((at) => new Date(at).toLocaleTimeString()).join(" to ")})` : "";
    return `${first === last ? `Segment ${first}` : `Segments ${first} to ${last}`}${when} went for newer ones: ${why}`;
  });
  const paused = pauses(lines, whole[1]).map(({ span: [from, to], why }) => `${since(from)}, paused, ${lasting(to - from)}: ${why}`);
  const taken = crashes(lines).map(([from, to]) => `${since(from)}, lost, ${lasting(to - from)} at most: the desktop's stream server had to be started again`);
  const full = fullAt(lines);
  const ended = full === null ? [] : [`${since(full)}: from here on nothing is told of input, ways and quality: that list is full`];
  const said = [...[...went, ...taken, ...paused].slice(0, MOST_GAPS), ...ended];
  byId("unwatched").hidden = !lines.some(({ kind }) => kind === "unwatched");
  byId("pauses").replaceChildren(...said.map((words) => make("li", {}, words)));
  byId("pauses-title").hidden = !said.length;
}

/** Ask for it anew, and bring the page in line; what is shown stays. */
async function refresh() {
  recorded = /** @type {Recorded} */ (await get(base));
  const answer = await fetch(`${base}/timeline`, { credentials: "same-origin", cache: "no-store" });
  if (answer.ok || answer.status === 404) lines = answer.ok ? parseTimeline(await answer.text()) : [];
  whole = extent(recorded.segments, lines);
  const seconds = recorded.segments.reduce((sum, each) => sum + each.duration_ms, 0);
  const about = `${clock(seconds)} in ${recorded.segments.length} segments, ${amount(recorded.bytes)}${recorded.state === "off" ? "" : ", goes on"}`;
  setText(byId("about"), recorded.segments.length ? about : "Nothing was recorded.");
  byId("viewing").hidden = !recorded.segments.length;
  byId("tools").hidden = !recorded.segments.length && !lines.length;
  list();
  tellGaps();
  if (!playing) show(recorded.segments[0], 0, false);
  else if (video.ended) show(after(recorded.segments, playing), 0, true);
  draw();
}

/** What was to be shown is not to be had: say so, and go on with the next that is there. */
async function lost() {
  const [number, go] = [playing, goes];
  const when = recorded.segments.find((each) => each.number === number);
  await refresh();
  const there = recorded.segments.some((each) => each.number === number);
  const next = after(recorded.segments, number);
  const what = `${when ? `${clock(when.at - whole[0])}, ${lasting(when.duration_ms)}` : `Segment ${number}`}: ${there ? "this cannot be played" : "this is gone, for newer segments"}.`;
  setText(byId("gone"), `${what} ${next ? "It goes on with the next." : "There is none after it."}`);
  show(next, 0, go);
}

function fail(/** @type {unknown} */ error) {
  setText(byId("about"), /** @type {ApiError} */ (error).message);
}

video.addEventListener("ended", () => show(after(recorded.segments, playing), 0, true));
video.addEventListener("play", () => (goes = true));
video.addEventListener("pause", () => (goes &&= video.error !== null || video.ended || video.readyState === 0));
video.addEventListener("error", () => video.error && void lost().catch(fail));
video.addEventListener("timeupdate", () => {
  setText(byId("when"), `${clock(now() - whole[0])} · ${new Date(now()).toLocaleString()}`);
  draw();
});
picture.addEventListener("click", (event) => {
  const share = Math.max(0, event.offsetX - LEFT) / Math.max(1, picture.clientWidth - LEFT);
  const found = locate(recorded.segments, whole[0] + share * (whole[1] - whole[0]));
  if (found) show(recorded.segments[found.index], found.offset, !video.paused);
});
byId("remove").addEventListener("click", () => {
  if (window.confirm("Remove this recording for good?")) remove(base).then(() => location.reload()).catch(fail);
});
window.addEventListener("resize", draw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
/** @type {HTMLAnchorElement} */ (byId("archive")).href = `${base}/archive`;
/** @type {HTMLAnchorElement} */ (byId("back")).href = `/session/${session}`;
setInterval(() => document.hidden || !recorded || recorded.state === "off" || void refresh().catch(() => {}), LOOK_MS);
refuseDrops();
refresh().catch(fail);
