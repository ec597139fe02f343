import { LIMITS } from "./limits.js";
import { due } from "./sent.js";

/** @import { Typed } from "./gap.js" */
/** @import { Left } from "./sent.js" */

/**
 * @typedef {object} HeirEvents
 * @property {(epoch: number) => boolean} ask the guest how much of an earlier connection it took; false: not yet
 * @property {(typed: Typed[], held: number[], since: number) => void} type what it did not take
 * @property {(typed: Typed[]) => void} after what was typed on this one meanwhile
 * @property {(count: number) => void} lost so many key presses and texts are not typed
 */

/** A connection that goes on where another one of its page ended: it asks first, and what is typed meanwhile waits. */
export class Heir {
  #on;
  /** @type {Left | null} */
  #left = null;
  /** @type {Typed[]} typed since, on this connection */
  #behind = [];
  /** @type {Map<number, number | null>} what the guest said of each earlier one */
  #told = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {HeirEvents} on */
  constructor(on) {
    this.#on = on;
  }

  /** True while what is typed is to be kept. */
  get waits() {
    return this.#left !== null;
  }

  /** @param {Typed} typed */
  keep(typed) {
    this.#behind.push(typed);
  }

  /** Go on from there. @param {Left} left */
  take(left) {
    this.#left = left;
    const told = this.#told.get(left.epoch);
    if (!left.sent.length) return this.#settle(Infinity);
    if (told !== undefined) return this.#settle(told);
    this.#timer = setTimeout(() => this.#settle(null), LIMITS.gap.askMs);
    this.ask();
  }

  /** Ask now that it is possible. */
  ask() {
    if (this.#left) this.#on.ask(this.#left.epoch);
  }

  /** @param {unknown} epoch @param {unknown} had what the guest says, who may say anything */
  told(epoch, had) {
    if (typeof epoch !== "number" || !Number.isInteger(had)) return;
    const known = /** @type {number} */ (had) < 0 ? null : /** @type {number} */ (had);
    if (this.#left?.epoch === epoch) return this.#settle(known);
    this.#told.clear();
    this.#told.set(epoch, known);
  }

  /** What another connection is to go on from, when this one never could. @returns {Left | null} */
  leave() {
    const left = this.#left;
    const behind = this.#behind;
    this.forget();
    return left && { ...left, kept: [...left.kept, ...behind], since: left.since ?? performance.now() };
  }

  /** Nothing of it is to be said. */
  forget() {
    clearTimeout(this.#timer);
    this.#left = null;
    this.#behind = [];
  }

  /** @param {number | null} had */
  #settle(had) {
    const left = this.#left;
    const behind = this.#behind;
    this.forget();
    if (!left) return;
    const { typed, held, since, lost } = due(left, had, performance.now());
    if (typed.length) this.#on.type(typed, held, since);
    if (behind.length) this.#on.after(behind);
    if (lost > 0) this.#on.lost(lost);
  }
}
