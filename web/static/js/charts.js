import { get } from "./api.js";
import { make } from "./elements.js";
import { RUNG_NAMES, freezes, kilobits, milliseconds } from "./figures.js";
import { areaOf, dotsOf, drawn, pathOf, roundTop, stretches } from "./sparkline.js";
import { median } from "./summary.js";
import { percent } from "./verdict.js";

/** @import { QualityRow, Rung, SessionQuality, ViewerQuality } from "../../types/model" */
/** @typedef {{ from: number, to: number }} Life */

/** Rows further apart than this and three spans: nobody watched between them. */
const PAUSE_MS = 30_000;
const WIDTH = 600;
const HEIGHT = 64;
const MOST_ROWS = 3000;
/** Viewers that are drawn; those who watched longest. */
const MOST_VIEWERS = 4;

/**
 * A chart: the figure of its line, one that is drawn fainter beside it, and how they are written.
 * @typedef {{ name: string, of: string, beside: string, word: string, write: (value: number) => string, least: number }} Chart
 */

/** @type {Chart[]} */
const CHARTS = [
  { name: "Input to picture", of: "latency_ms", beside: "latency_p95_ms", word: "95th of a hundred", write: milliseconds, least: 100 },
  { name: "Frames a second", of: "fps", beside: "fps_most", word: "most", write: (fps) => `${Math.round(fps)}`, least: 30 },
  { name: "Bitrate", of: "kbps", beside: "kbps_most", word: "most", write: kilobits, least: 500 },
  { name: "Loss", of: "loss", beside: "", word: "", write: percent, least: 0.05 },
  { name: "Jitter", of: "jitter_ms", beside: "jitter_most_ms", word: "most", write: milliseconds, least: 20 },
  { name: "Round trip", of: "rtt_ms", beside: "rtt_most_ms", word: "most", write: milliseconds, least: 50 },
];

/**
 * Draw what an ended session's picture was like, over its whole life.
 * @param {string} id
 * @param {HTMLElement} place
 */
export async function showCharts(id, place) {
  const sheet = new URL("../css/quality.css", import.meta.url).href;
  document.head.append(make("link", { rel: "stylesheet", href: sheet }));
  const { viewers } = /** @type {SessionQuality} */ (await get(`/api/sessions/${id}/quality?limit=${MOST_ROWS}`));
  const longest = [...viewers].sort((a, b) => watched(b.rows) - watched(a.rows)).slice(0, MOST_VIEWERS);
  const heading = make("h2", {}, "How the picture was");
  const text = longest.length ? [] : [make("p", { class: "muted" }, "Nobody watched long enough to tell.")];
  const drawings = longest.map((one, n) => viewer(one, longest.length > 1 ? `Viewer ${n + 1}` : ""));
  place.replaceChildren(heading, ...text, ...drawings);
  place.hidden = false;
}

/** @param {QualityRow[]} rows */
function watched(rows) {
  return rows.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** @param {ViewerQuality} viewer @param {string} name */
function viewer({ rows, candidates }, name) {
  const life = lifeOf(rows);
  const charts = CHARTS.filter(({ of }) => rows.some(({ figures }) => of in figures));
  return make(
    "section",
    { class: "viewer", "aria-label": name || "The viewer" },
    name ? make("h3", {}, name) : null,
    make("p", { class: "muted small" }, `${about(rows)} ${wordsOf(rows)}`),
    candidates ? make("p", { class: "muted small" }, `Candidates: ${candidates}`) : null,
    ribbon(rows, life),
    ...charts.map((chart) => figure(chart, rows, life)),
    axis(life),
  );
}

/** @param {QualityRow[]} rows @returns {Life} */
export function lifeOf(rows) {
  const [first, last] = [rows[0], rows.at(-1)];
  return first && last ? { from: first.at - first.seconds * 1000, to: last.at } : { from: 0, to: 1 };
}

/** @param {QualityRow[]} rows */
export function about(rows) {
  const sum = (/** @type {string} */ name) => rows.reduce((all, { figures }) => all + (figures[name] ?? 0), 0);
  const seconds = Math.round(watched(rows));
  const lasting = seconds < 60 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  return `Watched for ${lasting}; freezes: ${freezes(sum("freezes"), sum("frozen_ms"))}.`;
}

/** Which rungs there were, and for how long of the whole. @param {QualityRow[]} rows */
export function wordsOf(rows) {
  return shares(rows, ({ rung }) => RUNG_NAMES[rung]).map(([name, share]) => `${name} ${share}`).join(", ");
}

/** Which part of the time each name had, the longest first. @param {QualityRow[]} rows @param {(row: QualityRow) => string} of */
function shares(rows, of) {
  /** @type {Map<string, number>} */
  const seconds = new Map();
  for (const row of rows) seconds.set(of(row), (seconds.get(of(row)) ?? 0) + row.seconds);
  const parts = [...seconds].sort((a, b) => b[1] - a[1]);
  return parts.map(([name, part]) => /** @type {const} */ ([name, `${Math.round((part / watched(rows)) * 100)} %`]));
}

/** The rungs as bands, each with its name where there is room. @param {QualityRow[]} rows @param {Life} life */
function ribbon(rows, life) {
  const turns = rows.map((row) => ({ at: row.at - row.seconds * 1000, rung: row.rung }));
  const bands = stretches(turns, life.to);
  const across = (/** @type {number} */ at) => ((at - life.from) / Math.max(life.to - life.from, 1)) * WIDTH;
  const rects = bands.map(({ from, to, rung }) =>
    drawn("rect", { class: `band ${rung}`, x: across(from), y: BAND_Y[rung], width: Math.max(across(to) - across(from), 1), height: 5 }),
  );
  const words = bands.map(({ rung }) => RUNG_NAMES[rung]).slice(0, 20).join(", then ");
  const box = { viewBox: `0 0 ${WIDTH} 17`, preserveAspectRatio: "none", role: "img", "aria-label": words };
  const svg = drawn("svg", { ...box, class: "ribbon" }, ...rects);
  const names = ["WebRTC", "by relay", "noVNC"].map((name) => make("span", {}, name));
  return make("figure", { class: "chart rungs" }, make("div", { class: "scale" }, ...names), svg);
}

/** Down the ladder is down in the picture: colour is not all that tells them apart. @type {Record<Rung, number>} */
const BAND_Y = { webrtc: 0, "webrtc-relay": 6, vnc: 12 };

/** @param {Chart} chart @param {QualityRow[]} rows @param {Life} life */
function figure({ name, of, beside, word, write, least }, rows, life) {
  const values = rows.map(({ figures }) => figures[of] ?? null);
  const more = rows.map(({ figures }) => figures[beside] ?? null);
  const told = values.filter((value) => value !== null);
  const most = Math.max(...told, ...more.map((value) => value ?? 0));
  const top = roundTop([most], least);
  const frame = { left: life.from, right: life.to, top, width: WIDTH, height: HEIGHT };
  const words = `median ${write(median(told) ?? 0)}, ${word || "most"} ${write(most)}`;
  const svg = drawn(
    "svg",
    { class: "plot", viewBox: `0 -1 ${WIDTH} ${HEIGHT + 2}`, preserveAspectRatio: "none", role: "img", "aria-label": `${name}: ${words}` },
    drawn("path", { class: "spark-area", d: areaOf(spotsOf(rows, more), frame) }),
    drawn("path", { class: "spark-line", d: pathOf(spotsOf(rows, values), frame) }),
    drawn("path", { class: "spark-line spark-dots", d: dotsOf(spotsOf(rows, values), frame) }),
    drawn("path", { class: "freeze-marks", d: of === "fps" ? marks(rows, life) : "" }),
  );
  const caption = make("figcaption", {}, make("strong", {}, name), ` ${words}`);
  const scale = make("div", { class: "scale", "aria-hidden": "true" }, make("span", {}, write(top)), make("span", {}, "0"));
  return make("figure", { class: "chart" }, caption, scale, svg);
}

/**
 * A place for each value, and a gap where nobody watched.
 * @param {QualityRow[]} rows
 * @param {(number | null)[]} values
 */
export function spotsOf(rows, values) {
  return rows.flatMap(({ at, seconds }, n) => {
    const before = rows[n - 1];
    const spot = { x: at - (seconds * 1000) / 2, y: values[n] ?? null };
    const paused = before && at - before.at > Math.max(PAUSE_MS, seconds * 3000);
    return paused ? [{ x: before.at, y: null }, spot] : [spot];
  });
}

/** Where the picture stood still. @param {QualityRow[]} rows @param {Life} life */
function marks(rows, life) {
  return rows
    .filter(({ figures }) => figures["freezes"])
    .map(({ at }) => `M${(((at - life.from) / Math.max(life.to - life.from, 1)) * WIDTH).toFixed(1)} 0v6`)
    .join("");
}

/** @param {Life} life */
function axis({ from, to }) {
  const times = [from, (from + to) / 2, to].map((at) => {
    const text = new Date(at).toLocaleTimeString([], to - from < 600_000 ? { timeStyle: "medium" } : { timeStyle: "short" });
    return make("time", { datetime: new Date(at).toISOString() }, text);
  });
  return make("div", { class: "axis" }, ...times);
}
