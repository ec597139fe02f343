import { LIMITS } from "./limits.js";

/** @typedef {[tag: string, ...rest: any[]]} Typed a `k`, `t` or `r` message of the control channel, without its number */

/**
 * What is typed while a peer is in doubt: kept unsent, so that whichever rung comes next can be given it, once and in order.
 * When that takes too long, or there is too much of it, all of it is dropped: half a word is worse than none. Pure.
 */
export class Gap {
  /** @type {Typed[]} */
  #kept = [];
  /** @type {number | null} when the first was kept */
  #since = null;
  #lost = 0;
  #dropped = false;

  get empty() {
    return this.#since === null;
  }

  /** @param {number} now @param {Typed} typed */
  keep(now, typed) {
    this.#since ??= now;
    this.#kept.push(typed);
    if (this.#spoiled(now)) this.#drop();
  }

  /**
   * The gap is over.
   * @param {number} now
   * @returns {{ kept: Typed[], lost: number, dropped: boolean }} what is to be typed, or that all of it was dropped instead:
   *   so many key presses and texts, and releases, which who goes on with the same peer must make up for
   */
  end(now) {
    if (this.#spoiled(now)) this.#drop();
    const found = { kept: this.#kept, lost: this.#lost, dropped: this.#dropped };
    this.#kept = [];
    this.#since = null;
    this.#lost = 0;
    this.#dropped = false;
    return found;
  }

  /** @param {number} now */
  #spoiled(now) {
    const late = this.#since !== null && now - this.#since > LIMITS.gap.keepMs;
    return late || this.#dropped || this.#kept.length > LIMITS.gap.most;
  }

  #drop() {
    this.#lost += this.#kept.filter(isStroke).length;
    this.#dropped = true;
    this.#kept = [];
  }
}

/** A key press or a text: what a person would miss. @param {Typed} typed */
export function isStroke([tag, , down]) {
  return tag === "t" || (tag === "k" && Boolean(down));
}

/**
 * For a rung that knows of no key before: what is down at the end is let go, and what went up that never went down is left
 * out, for the machine lets go of a peer's keys with the peer.
 * @param {Typed[]} kept
 * @returns {Typed[]}
 */
export function whole(kept) {
  /** @type {Set<number>} */
  const down = new Set();
  const release = () => {
    const ups = [...down].map((keysym) => /** @type {Typed} */ (["k", keysym, 0]));
    down.clear();
    return ups;
  };
  const out = kept.flatMap((typed) => {
    const [tag, keysym, pressed] = typed;
    if (tag === "r") return release();
    if (tag !== "k") return [typed];
    if (!pressed) return down.delete(keysym) ? [typed] : [];
    down.add(keysym);
    return [typed];
  });
  return [...out, ...release()];
}
