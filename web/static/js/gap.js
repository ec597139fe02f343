import { LIMITS } from "./limits.js";
import { isModifier, isStroke } from "./sent.js";

/** @typedef {[tag: string, ...rest: any[]]} Typed a `k`, `t`, `r`, `b` or `w` message of the control channel, without its number */

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

  /** One more message is too much. */
  get full() {
    return this.#kept.length >= LIMITS.gap.most;
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
   * @returns {{ kept: Typed[], since: number | null, lost: number, dropped: boolean }} what is to be typed, and when it began;
   *   or that all of it was dropped instead: so many key presses and texts, and releases, which who goes on with the same peer
   *   must make up for
   */
  end(now) {
    if (this.#spoiled(now)) this.#drop();
    const found = { kept: this.#kept, since: this.#since, lost: this.#lost, dropped: this.#dropped };
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

/**
 * For a rung that knows of no key before: the modifiers that were down are pressed when the first key or click needs them, what
 * is down at the end is let go, and what went up that never went down is left out, for the machine lets go of a peer's keys with the peer.
 * @param {Typed[]} kept
 * @param {number[]} [held] modifiers that were down before
 * @returns {Typed[]}
 */
export function whole(kept, held = []) {
  /** @type {Set<number>} */
  const down = new Set();
  const wanted = new Set(held);
  /** @type {Map<number, Typed>} what lets go of each button that is down */
  const buttons = new Map();
  const release = () => {
    const ups = [...buttons.values(), ...[...down].map((keysym) => /** @type {Typed} */ (["k", keysym, 0]))];
    buttons.clear();
    down.clear();
    return ups;
  };
  const press = (/** @type {number[]} */ keysyms) => {
    for (const keysym of keysyms) {
      wanted.delete(keysym);
      down.add(keysym);
    }
    return keysyms.map((keysym) => /** @type {Typed} */ (["k", keysym, 1]));
  };
  const click = (/** @type {Typed} */ typed) => {
    const [tag, x, y, button, pressed] = typed;
    if (!pressed) return buttons.delete(button) ? [typed] : [];
    buttons.set(button, [tag, x, y, button, 0]);
    return [...press([...wanted]), typed];
  };
  const out = kept.flatMap((typed) => {
    const [tag, keysym, pressed] = typed;
    if (tag === "r") {
      wanted.clear();
      return release();
    }
    if (tag === "b") return click(typed);
    if (tag === "w") return [...press([...wanted]), typed];
    if (tag !== "k") return [typed];
    if (pressed) return press(isModifier(keysym) ? [keysym] : [...wanted, keysym]);
    wanted.delete(keysym);
    return down.delete(keysym) ? [typed] : [];
  });
  return [...out, ...release()];
}

/**
 * For a rung that takes keys alone: the wheel is left out, and what was typed after a click may be meant for another place.
 * @param {Typed[]} kept
 * @returns {{ keys: Typed[], lost: number }} `lost` key presses and texts came after the first click
 */
export function keysAlone(kept) {
  const clicked = kept.findIndex(([tag, , , , down]) => tag === "b" && down);
  const before = clicked < 0 ? kept : kept.slice(0, clicked);
  const keys = before.filter(([tag]) => tag !== "b" && tag !== "w");
  return { keys, lost: kept.slice(before.length).filter(isStroke).length };
}
