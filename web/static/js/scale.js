/** @import { Point, Size } from "../../types/model" */

/** In pixels of 100 per cent: Chromium makes no window narrower than 500. A phone shows a larger desktop, scaled down. */
const LEAST = Object.freeze({ width: 640, height: 400 });
/** On a dense screen text is legible in a narrower window: as much width as a browser's window needs, and some. */
const LEAST_DENSE = Object.freeze({ width: 520, height: 400 });
/** What the guest takes. */
const MOST = 7680;
/** More pixels than this the guest scales down: each picture costs as much as it is large. */
const MOST_AREA = 4096 * 2304;
/** A dense desktop has no more pixels than this: twice 1280 x 800. */
const DENSE_AREA = 2560 * 1600;
const MOST_DENSE = 3;

/**
 * Where a desktop lies in a box that shows it whole, in the box's pixels.
 * @param {Size} box
 * @param {Size} desktop
 */
export function fit(box, desktop) {
  const scale = Math.min(box.width / desktop.width, box.height / desktop.height) || 0;
  const width = desktop.width * scale;
  const height = desktop.height * scale;
  return { left: (box.width - width) / 2, top: (box.height - height) / 2, width, height, scale };
}

/**
 * The pixel of the desktop under a point of the box; a point beside the picture gives its nearest edge.
 * @param {Point} point
 * @param {Size} box
 * @param {Size} desktop
 * @returns {Point | null} null while either has no size
 */
export function toDesktop(point, box, desktop) {
  const { left, top, scale } = fit(box, desktop);
  if (!(scale > 0) || !Number.isFinite(scale)) return null;
  return {
    x: clamp(Math.floor((point.x - left) / scale), desktop.width - 1),
    y: clamp(Math.floor((point.y - top) / scale), desktop.height - 1),
  };
}

/**
 * The desktop size that fills a box of CSS pixels, `density` per cent pixels each: its shape, even numbers, within
 * what is useful and allowed.
 * @param {Size} box
 * @returns {Size | null} null for a box that is not laid out
 */
export function wantedSize(box, density = 100) {
  if (!(box.width > 0) || !(box.height > 0)) return null;
  const least = density > 100 ? LEAST_DENSE : LEAST;
  const enlarge = (density / 100) * Math.max(1, least.width / box.width, least.height / box.height);
  const width = Math.min(box.width * enlarge, MOST);
  const height = Math.min(box.height * enlarge, MOST);
  const shrink = Math.min(1, Math.sqrt(MOST_AREA / (width * height)));
  return { width: even(width * shrink), height: even(height * shrink) };
}

/**
 * How dense a desktop in this box shall be on a screen of this `devicePixelRatio`, in per cent: in quarters, no denser
 * than what a machine without a graphics card draws and encodes with ease, and on a phone about so that the least size
 * has the screen's own pixels: text is large, and nothing is drawn to be scaled away.
 * @param {Size} box
 * @param {number} ratio
 */
export function densityOf(box, ratio) {
  if (!(box.width > 0) || !(box.height > 0) || !(ratio > 1)) return 100;
  const most = Math.sqrt(DENSE_AREA / (box.width * box.height));
  const room = Math.min(box.width / LEAST_DENSE.width, box.height / LEAST_DENSE.height);
  const whole = Math.ceil(room * ratio * 4) / 4;
  return Math.max(100, Math.floor(Math.min(ratio, MOST_DENSE, most, whole) * 4) * 25);
}

/** @param {number} value @param {number} most */
function clamp(value, most) {
  return Math.min(Math.max(value, 0), Math.max(most, 0));
}

/** @param {number} value */
function even(value) {
  return Math.floor(value / 2) * 2;
}
