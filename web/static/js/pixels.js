import { LIMITS } from "./limits.js";

/** @import { Size } from "../../types/model" */

/** A video encoder's black is a little off zero; a dark grey desktop is well above. 0..255. */
const BLACK = 12;

/** Large enough that a line of text on a black terminal still shows in the small copy. */
const PROBE = Object.freeze({ width: 96, height: 54 });

/**
 * True when any pixel is lit: then the picture counts.
 * @param {Uint8ClampedArray} rgba
 */
export function anyLit(rgba) {
  for (let at = 0; at < rgba.length; at += 4) {
    const alpha = rgba[at + 3] ?? 0;
    if (alpha > 0 && Math.max(rgba[at] ?? 0, rgba[at + 1] ?? 0, rgba[at + 2] ?? 0) > BLACK) return true;
  }
  return false;
}

/** Looks at pictures through one small canvas. */
export class Probe {
  #context;

  constructor() {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, PROBE);
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
  }

  /** @param {CanvasImageSource} picture */
  isLit(picture) {
    const context = this.#context;
    if (!context) return true;
    context.drawImage(picture, 0, 0, PROBE.width, PROBE.height);
    return anyLit(context.getImageData(0, 0, PROBE.width, PROBE.height).data);
  }
}

/** True when nothing at all is lit, looked at in full: dear, so ask `Probe` first. @param {CanvasImageSource} picture @param {Size} size */
export function isBlack(picture, { width, height }) {
  if (!width || !height) return false;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) return false;
  context.drawImage(picture, 0, 0);
  return !anyLit(context.getImageData(0, 0, width, height).data);
}

/**
 * Looks at each picture that was drawn until one counts, then believes: one that is lit counts at once, a black
 * one when pictures have come for `blackMs`.
 * @param {{ isLit: (picture: CanvasImageSource) => boolean }} [probe]
 * @param {() => number} [now] milliseconds of a steady clock
 */
export function firstLit(probe = new Probe(), now = () => performance.now()) {
  let counts = false;
  /** @type {number | null} */
  let since = null;
  return (/** @type {CanvasImageSource} */ picture) => {
    since ??= now();
    counts ||= now() - since >= LIMITS.blackMs || probe.isLit(picture);
    return counts;
  };
}
