import { backoff } from "./backoff.js";

/** When something that failed may be tried again. */
export class Retry {
  failures = 0;
  #at = 0;
  #limits;
  #random;

  /** @param {{ firstMs: number, mostMs: number }} limits @param {() => number} random */
  constructor(limits, random) {
    this.#limits = limits;
    this.#random = random;
  }

  /** @param {number} now */
  fail(now) {
    this.failures += 1;
    this.#at = now + backoff(this.failures, this.#limits, this.#random);
  }

  /** At once, and as if nothing had failed. @param {number} now */
  anew(now) {
    this.failures = 0;
    this.#at = now;
  }

  /** At once. @param {number} now */
  hasten(now) {
    this.#at = now;
  }

  /** @param {number} now */
  due(now) {
    return now >= this.#at;
  }
}
