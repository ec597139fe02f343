import { backoff } from "./backoff.js";
import { LIMITS } from "./limits.js";

/** When something that failed may be tried again, and how often a good sign may shorten the wait. */
export class Retry {
  failures = 0;
  #at = 0;
  #failedAt = 0;
  /** Before that nothing is tried, whatever is hoped: the server said so. */
  #heldUntil = 0;
  #limits;
  #random;
  /** When the last good signs were followed. @type {number[]} */
  #followed = [];

  /** @param {{ firstMs: number, mostMs: number }} limits @param {() => number} random */
  constructor(limits, random) {
    this.#limits = limits;
    this.#random = random;
  }

  /** @param {number} now @returns {number} when to try again */
  fail(now) {
    this.failures += 1;
    this.#failedAt = now;
    this.#at = now + backoff(this.failures, this.#limits, this.#random);
    return this.#at;
  }

  /** What had worked broke soon: the first time it is tried again at once. @param {number} now */
  broke(now) {
    const at = this.failures ? Infinity : now;
    this.#at = Math.min(this.fail(now), at);
  }

  /** At once, and as if nothing had failed. @param {number} now */
  anew(now) {
    this.failures = 0;
    this.#at = now;
  }

  /** A sign that it may work again: at once, unless such signs come too often to be worth much. @param {number} now @returns {boolean} whether it was followed */
  sign(now) {
    const { most, inMs } = LIMITS.returns;
    const worthless = this.#followed.length >= most && now - (this.#followed[0] ?? 0) < inMs;
    if (worthless) return false;
    this.#followed = [...this.#followed, now].slice(-most);
    if (now - this.#failedAt > inMs) this.failures = 0;
    this.#at = now;
    return true;
  }

  /** At once. @param {number} now */
  hasten(now) {
    this.#at = now;
  }

  /** Not before so many milliseconds have passed. @param {number} now @param {number} ms */
  hold(now, ms) {
    this.#heldUntil = Math.max(this.#heldUntil, now + ms);
  }

  /** @param {number} now */
  due(now) {
    return now >= this.#at && now >= this.#heldUntil;
  }
}
