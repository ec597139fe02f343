import { LIMITS } from "./limits.js";

/**
 * A new connection whose pictures are decoded and reach nobody: neither a track processor nor a `<video>`, nor a clone of the track, is ever
 * given a frame. Chromium (seen in 156) does so with a stream that the answer does not name; only another connection helps.
 * Pure: times are milliseconds of any steady clock.
 */
export class Unshown {
  /** @type {number | null} since when there is something to be shown */
  #since = null;
  #looks = 0;

  /**
   * Nothing was drawn so far.
   * @param {number} now @param {number | null | undefined} decoded frames
   * @returns {boolean} whether nothing ever will be
   */
  look(now, decoded) {
    if (!decoded) return false;
    this.#since ??= now;
    this.#looks += 1;
    return this.#looks >= LIMITS.unshown.looks && now - this.#since >= LIMITS.unshown.brokenMs;
  }
}

/**
 * Look at a connection until something of it was drawn, or it is given up.
 * @param {() => Promise<number | null>} decoded frames so far
 * @param {() => boolean} over something was drawn, or the connection is gone
 * @returns {Promise<boolean>} whether nothing of it will ever be drawn
 */
export async function isUnshown(decoded, over) {
  const unshown = new Unshown();
  while (!over()) {
    await new Promise((resolve) => setTimeout(resolve, LIMITS.unshown.lookMs));
    const count = await decoded();
    if (over()) return false;
    if (!document.hidden && unshown.look(performance.now(), count)) return true;
  }
  return false;
}
