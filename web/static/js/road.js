/** Enough drawn frames to know what drawing costs here. */
const ENOUGH = 90;
/** A third of a frame at 30 per second: drawing that takes longer delays input and the next frame. */
const DEAR_MS = 11;

/**
 * Which way decoded frames reach the screen: a canvas that the page paints itself shows a frame up to 25 ms
 * sooner than `<video>` where the browser composites in software, but costs time on the page's own thread.
 * So: canvas where the browser can, and `<video>` when painting was measured to be dear.
 */
export class Road {
  /** @type {number[]} */
  #costs = [];

  /**
   * @param {number} ms what painting one frame took
   * @returns {"canvas" | "video" | null} the verdict, once
   */
  painted(ms) {
    if (this.#costs.length >= ENOUGH) return null;
    this.#costs.push(ms);
    if (this.#costs.length < ENOUGH) return null;
    const sorted = [...this.#costs].sort((a, b) => a - b);
    return (sorted[Math.floor(ENOUGH * 0.75)] ?? 0) > DEAR_MS ? "video" : "canvas";
  }
}
