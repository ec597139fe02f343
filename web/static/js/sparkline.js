/** @import { Rung } from "../../types/model" */

const SVG = "http://www.w3.org/2000/svg";
const STEPS = [1, 2, 5, 10];

/**
 * A value at a place; null is a gap.
 * @typedef {{ x: number, y: number | null }} Spot
 * @typedef {{ left: number, right: number, top: number, width: number, height: number }} Frame `left` and `right` are
 *   the ends of x, `top` the largest y (the smallest is 0); `width` and `height` what they are drawn on
 */

/**
 * The `d` of a path through the spots, with a gap where nothing is known; a lone spot is a dot.
 * @param {Spot[]} spots
 * @param {Frame} frame
 */
export function pathOf(spots, frame) {
  const parts = [];
  let open = false;
  for (const [n, { x, y }] of spots.entries()) {
    if (y === null) {
      open = false;
      continue;
    }
    parts.push(`${open ? "L" : "M"}${place(x, y, frame)}`);
    if (!open && (spots[n + 1]?.y ?? null) === null) parts.push("h.01");
    open = true;
  }
  return parts.join("");
}

/** The lone spots alone, which a thin line shows as a pixel. @param {Spot[]} spots @param {Frame} frame */
export function dotsOf(spots, frame) {
  const known = (/** @type {number} */ n) => (spots[n]?.y ?? null) !== null;
  return pathOf(spots.map(({ x, y }, n) => ({ x, y: known(n - 1) || known(n + 1) ? null : y })), frame);
}

/** The same as an area down to 0. @param {Spot[]} spots @param {Frame} frame */
export function areaOf(spots, frame) {
  /** @type {Spot[][]} */
  const runs = [[]];
  for (const spot of spots) {
    if (spot.y === null) runs.push([]);
    else runs.at(-1)?.push(spot);
  }
  return runs.filter((run) => run.length > 1).map((run) => {
    const [first, last] = [/** @type {Spot} */ (run[0]), /** @type {Spot} */ (run.at(-1))];
    return `${pathOf([{ x: first.x, y: 0 }, ...run, { x: last.x, y: 0 }], frame)}Z`;
  }).join("");
}

/** @param {number} x @param {number} y @param {Frame} frame */
function place(x, y, { left, right, top, width, height }) {
  const across = right > left ? ((x - left) / (right - left)) * width : width;
  const up = Math.min(Math.max(y / (top || 1), 0), 1) * height;
  return `${tenth(across)} ${tenth(height - up)}`;
}

/** @param {number} value */
function tenth(value) {
  return Math.round(value * 10) / 10;
}

/**
 * A round number at or above all values, and at least `least`: 1, 2 or 5 with zeros.
 * @param {(number | null)[]} values
 * @param {number} least
 */
export function roundTop(values, least) {
  const most = Math.max(least, ...values.map((value) => value ?? 0));
  const ten = 10 ** Math.floor(Math.log10(most || 1));
  return (STEPS.find((step) => step * ten >= most) ?? 10) * ten;
}

/**
 * How long each rung was on the screen, one after the other.
 * @param {{ at: number, rung: Rung | null }[]} turns oldest first
 * @param {number} until
 * @returns {{ from: number, to: number, rung: Rung }[]}
 */
export function stretches(turns, until) {
  /** @type {{ from: number, to: number, rung: Rung }[]} */
  const found = [];
  for (const [n, { at, rung }] of turns.entries()) {
    if (!rung) continue;
    const to = turns[n + 1]?.at ?? until;
    const last = found.at(-1);
    if (last && last.rung === rung && last.to === at) last.to = to;
    else found.push({ from: at, to, rung });
  }
  return found;
}

/**
 * Make an SVG element. @param {string} tag @param {Record<string, string | number>} [attributes] @param {...Node} children
 */
export function drawn(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A line of the last values, as large as a word. The text beside it says what it shows. */
export class Sparkline {
  #width = 120;
  #height = 26;
  #area = drawn("path", { class: "spark-area" });
  #line = drawn("path", { class: "spark-line" });
  #turns = drawn("path", { class: "spark-turns" });
  element;

  constructor() {
    const view = { class: "spark", viewBox: `0 -1 ${this.#width} ${this.#height + 2}`, preserveAspectRatio: "none" };
    this.element = drawn("svg", { ...view, role: "img" }, this.#area, this.#turns, this.#line);
  }

  /**
   * @param {(number | null)[]} values oldest first
   * @param {{ room: number, top: number, turns: number[], label: string }} how `room` for so many values; `turns`:
   *   before which of them the rung changed
   */
  show(values, { room, top, turns, label }) {
    const first = room - values.length;
    const spots = values.map((y, n) => ({ x: first + n, y }));
    const frame = { left: 0, right: room - 1, top, width: this.#width, height: this.#height };
    this.#line.setAttribute("d", pathOf(spots, frame));
    this.#area.setAttribute("d", areaOf(spots, frame));
    const across = turns.map((n) => tenth(((first + n) / (room - 1)) * this.#width));
    this.#turns.setAttribute("d", across.map((x) => `M${x} 0V${this.#height}`).join(""));
    this.element.setAttribute("aria-label", label);
  }
}
