import { LIMITS } from "./limits.js";
import { Sent, isStroke } from "./sent.js";

/** @import { Typed } from "./gap.js" */
/** @import { Left } from "./sent.js" */

/**
 * What went into noVNC's two sockets and may not have arrived: of its channel the guest tells how much it acted out;
 * of RFB nobody does, so what went by it a moment before it broke is in doubt. Pure.
 */
export class Unheard {
  #sent = new Sent();
  /** By which number the guest knows the channel; 0: it has not said so. */
  #epoch = 0;
  /** @type {number[]} when strokes went by a road that nobody acknowledges, the newest ones */
  #doubtful = [];

  get empty() {
    return this.#sent.empty;
  }

  /** True where the guest acknowledges what the channel brings. */
  get told() {
    return this.#epoch > 0;
  }

  /** A channel is open: the numbers go on, and nothing of it has arrived. @param {number} epoch */
  is(epoch) {
    this.#epoch = epoch;
  }

  /** By the channel. @param {number} seq @param {number} at when it was typed @param {Typed} typed */
  push(seq, at, typed) {
    return this.#sent.push(seq, at, typed);
  }

  /** By RFB. @param {number} now @param {Typed} typed */
  byRfb(now, typed) {
    if (isStroke(typed)) this.#doubtful = [...this.#doubtful, now].slice(-LIMITS.gap.most);
  }

  /** All up to this number was acted out. @param {number} seq */
  took(seq) {
    this.#sent.acknowledged(seq);
  }

  /** The channel is gone, or is to be: what its next one, or another connection, goes on from. @returns {Left} */
  leave() {
    const { sent, ...log } = this.#sent.left();
    const left = { epoch: this.#epoch, ...log, kept: [], since: null, lost: 0 };
    // of a guest that acknowledges nothing it is as of RFB
    if (!this.told) this.#doubtful.push(...sent.filter(({ typed }) => isStroke(typed)).map(({ at }) => at));
    const found = this.told ? { ...left, sent } : { ...left, sent: [], from: 0, held: [] };
    this.#begin();
    return found;
  }

  /** Strokes that may have been lost with RFB's socket. @param {number} now when it broke @returns {number} */
  lost(now) {
    const doubtful = this.#doubtful.filter((at) => now - at < LIMITS.gap.doubtMs).length;
    this.#doubtful = [];
    return doubtful;
  }

  /** Nothing of it is to be said again. */
  forget() {
    this.#begin();
    this.#doubtful = [];
  }

  #begin() {
    this.#sent = new Sent();
    this.#epoch = 0;
  }
}
