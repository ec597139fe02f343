/** Messages that may wait; more go out at once. */
const MOST = 500;

/** What is said goes out in order; while it is held, it waits. Pure but for its one timer. */
export class Holding {
  #out;
  /** @type {unknown[][] | null} */
  #waiting = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {(tag: string, ...rest: unknown[]) => void} out */
  constructor(out) {
    this.#out = out;
  }

  get holds() {
    return this.#waiting !== null;
  }

  /** Hold back what is said from now on, at most so long. @param {number} ms */
  hold(ms) {
    this.#waiting ??= [];
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.go(), ms);
  }

  /** @param {string} tag @param {...unknown} rest */
  say(tag, ...rest) {
    if (!this.#waiting) return this.#out(tag, ...rest);
    this.#waiting.push([tag, ...rest]);
    if (this.#waiting.length >= MOST) this.go();
  }

  /** Let go of all that waits. */
  go() {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    clearTimeout(this.#timer);
    for (const [tag, ...rest] of waiting) this.#out(/** @type {string} */ (tag), ...rest);
  }
}
