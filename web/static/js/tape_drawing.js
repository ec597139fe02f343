import { byViewer, crashes, freezes, pauses, rungs } from "./tape.js";

/** @import { RecordedSegment, TimelineLine } from "../../types/model" */
/** @typedef {{ segments: RecordedSegment[], lines: TimelineLine[], whole: [number, number], now: number }} Tape */

/** The names of the rows stand in so many CSS pixels on the left; what happened is beside them. */
export const LEFT = 66;
/** Rows from the top, in CSS pixels: their middle and half their height. */
const ROWS = /** @type {const} */ ({
  segments: [14, 8], rungs: [36, 6], keys: [56, 7], buttons: [74, 7], wheel: [92, 7], kbps: [118, 13], fps: [152, 13], frozen: [179, 6],
});
/** @type {[keyof typeof ROWS, string][]} */
const NAMES = [["segments", "Picture"], ["rungs", "Way"], ["keys", "Typed"], ["buttons", "Clicked"], ["wheel", "Scrolled"], ["kbps", "Bitrate"], ["fps", "Frames"], ["frozen", "Frozen"]];
const HEIGHT = 192;

/** One drawing on its canvas. */
class Drawing {
  /** @param {HTMLCanvasElement} canvas @param {CanvasRenderingContext2D} context @param {Tape} tape */
  constructor(canvas, context, { lines, whole }) {
    this.canvas = canvas;
    this.context = context;
    this.lines = lines;
    this.whole = whole;
    this.width = canvas.clientWidth;
  }

  /** A colour of the page's as a canvas takes it: light-dark() and the like are worked out. @param {string} name */
  colour(name) {
    this.canvas.style.color = `var(${name})`;
    return getComputedStyle(this.canvas).color;
  }

  /** Where a moment is. @param {number} at */
  x(at) {
    const [from, to] = this.whole;
    return LEFT + (Math.max(at - from, 0) / (to - from)) * (this.width - LEFT);
  }

  /** @param {[number, number]} span @param {readonly number[]} row @param {string} fill */
  bar([from, to], [middle = 0, half = 0], fill) {
    this.context.fillStyle = fill;
    this.context.fillRect(this.x(from), middle - half, Math.max(1, this.x(to) - this.x(from) - 1), 2 * half);
  }

  names() {
    this.context.fillStyle = this.colour("--muted");
    this.context.font = "11px sans-serif";
    this.context.textBaseline = "middle";
    for (const [row, name] of NAMES) this.context.fillText(name, 8, ROWS[row][0]);
  }

  rungs() {
    const found = rungs(this.lines, this.whole[1]);
    const lanes = found.reduce((most, { lane }) => Math.max(most, lane + 1), 1);
    const [middle, half] = ROWS.rungs;
    for (const { span, rung, lane } of found) {
      const fill = this.colour(rung === "webrtc" ? "--good" : rung === "vnc" ? "--danger" : "--warn");
      this.bar([Math.max(span[0], this.whole[0]), span[1]], [middle + half * ((2 * lane + 1) / lanes - 1), half / lanes], fill);
    }
  }

  /** How much of one kind of input there was in each second. @param {"keys" | "buttons" | "wheel"} kind */
  input(kind) {
    const [middle, half] = ROWS[kind];
    this.context.fillStyle = this.colour("--ink");
    for (const line of this.lines) {
      const count = line.kind === "input" && line.at_ms >= this.whole[0] ? (line[kind] ?? 0) : 0;
      if (!(count > 0)) continue;
      const height = Math.min(2 * half, 2 + count);
      const wide = Math.max(1, this.x(line.at_ms + 1000) - this.x(line.at_ms) - 1);
      this.context.fillRect(this.x(line.at_ms), middle + half - height, wide, height);
    }
  }

  /** For how much of the seconds that a viewer tells of together its picture stood still. */
  freezes() {
    const [middle, half] = ROWS.frozen;
    const fill = this.colour("--danger");
    for (const { span: [from, to], share } of freezes(this.lines)) {
      if (to < this.whole[0]) continue;
      const up = Math.max(1, half * share);
      this.bar([Math.max(from, this.whole[0]), to], [middle + half - up, up], fill);
    }
  }

  /** A line of each viewer's. @param {"kbps" | "fps"} figure @param {string} stroke */
  figure(figure, stroke) {
    const [middle, half] = ROWS[figure];
    const told = this.lines.filter((line) => line.kind === "quality" && line.at_ms >= this.whole[0] && Number.isFinite(line[figure]));
    const most = told.reduce((high, line) => Math.max(high, line[figure] ?? 0), 1);
    this.context.strokeStyle = stroke;
    this.context.lineWidth = 1.5;
    for (const own of byViewer(told).values()) {
      this.context.beginPath();
      for (const line of own) this.context.lineTo(this.x(line.at_ms), middle + half - (2 * half * (line[figure] ?? 0)) / most);
      this.context.stroke();
    }
  }
}

/** Draw what happened in a recording, row by row. @param {HTMLCanvasElement} canvas @param {Tape} tape */
export function drawTape(canvas, tape) {
  const context = canvas.getContext("2d");
  if (!context) return;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = HEIGHT * ratio;
  context.scale(ratio, ratio);
  const drawing = new Drawing(canvas, context, tape);
  drawing.names();
  for (const { at, duration_ms } of tape.segments) drawing.bar([at, at + duration_ms], ROWS.segments, drawing.colour("--accent"));
  for (const { span } of pauses(tape.lines, tape.whole[1])) drawing.bar(span, ROWS.segments, drawing.colour("--warn"));
  for (const span of crashes(tape.lines)) drawing.bar(span, ROWS.segments, drawing.colour("--danger"));
  drawing.rungs();
  for (const kind of /** @type {const} */ (["keys", "buttons", "wheel"])) drawing.input(kind);
  drawing.figure("kbps", drawing.colour("--good"));
  drawing.figure("fps", drawing.colour("--accent"));
  drawing.freezes();
  context.fillStyle = drawing.colour("--danger");
  context.fillRect(drawing.x(tape.now) - 1, 0, 2, HEIGHT);
}
