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

  /** Forget all that waits. @returns {unknown[][]} what it was */
  drop() {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    clearTimeout(this.#timer);
    return waiting;
  }

  /** Let go of all that waits. */
  go() {
    for (const [tag, ...rest] of this.drop()) this.#out(/** @type {string} */ (tag), ...rest);
  }
}
