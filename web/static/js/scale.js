/** @import { Point, Size } from "../../types/model" */

/** Browsers make their windows no smaller than about 500 pixels: a phone shows a larger desktop, scaled down. */
const LEAST = Object.freeze({ width: 640, height: 400 });
/** What the guest takes. */
const MOST = 7680;

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
 * The desktop size that fills a box of CSS pixels: its shape, even numbers, within what is useful and allowed.
 * @param {Size} box
 * @returns {Size | null} null for a box that is not laid out
 */
export function wantedSize(box) {
  if (!(box.width > 0) || !(box.height > 0)) return null;
  const enlarge = Math.max(1, LEAST.width / box.width, LEAST.height / box.height);
  return { width: even(box.width * enlarge), height: even(box.height * enlarge) };
}

/** @param {number} value @param {number} most */
function clamp(value, most) {
  return Math.min(Math.max(value, 0), Math.max(most, 0));
}

/** @param {number} value */
function even(value) {
  return Math.floor(Math.min(value, MOST) / 2) * 2;
}
