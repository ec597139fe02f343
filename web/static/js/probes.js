import { backoff } from "./backoff.js";
import { LIMITS } from "./limits.js";

/** When to look beside a relay whether there is a direct way again. A look costs the machine a peer for a moment. */
export class Probes {
  #random;
  #at = 0;
  #failures = 0;
  #running = false;

  /** @param {() => number} random */
  constructor(random) {
    this.#random = random;
  }

  /** A relay was put on the screen, or the last look found nothing. @param {number} now */
  wait(now) {
    this.#running = false;
    this.#at = now + backoff(this.#failures + 1, LIMITS.probe, this.#random);
  }

  /** The network changed: what was found before says nothing. @param {number} now */
  soon(now) {
    this.#failures = 0;
    this.#at = Math.min(this.#at, now + LIMITS.probeSoonMs);
  }

  /** True, and taken as begun, when it is time. @param {number} now */
  begin(now) {
    if (this.#running || now < this.#at) return false;
    this.#running = true;
    return true;
  }

  /** @param {boolean} direct @param {number} now */
  ended(direct, now) {
    this.#failures = direct ? 0 : this.#failures + 1;
    this.wait(now);
  }
}
