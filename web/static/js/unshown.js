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
