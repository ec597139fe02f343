import { LIMITS } from "./limits.js";

/** @import { Typed } from "./gap.js" */
/** @typedef {{ seq: number, at: number, typed: Typed }} Logged what went out, and when it was typed */

/**
 * What one connection leaves to the next one of its page.
 * @typedef {object} Left
 * @property {number} epoch whose
 * @property {Logged[]} sent that the guest has not acknowledged, in order
 * @property {number} from the last number that did not fit into `sent`; 0: all fitted
 * @property {number[]} held modifiers that were down before `sent`
 * @property {Typed[]} kept what was typed after that and never sent
 * @property {number | null} since when the first of `kept` was typed
 * @property {number} lost key presses and texts that are dropped already
 */

/** @typedef {{ kept: Typed[], since: number | null, lost: number, dropped: boolean }} Gone what a gap that is over kept */

/** A key that goes with others: Shift, Control, Meta, Alt, Super, Hyper and AltGr; what locks would lock anew. @param {number} keysym */
export function isModifier(keysym) {
  return keysym === 0xfe03 || (keysym >= 0xffe1 && keysym <= 0xffe4) || (keysym >= 0xffe7 && keysym <= 0xffee);
}

/** A key press or a text: what a person would miss. @param {Typed} typed */
export function isStroke([tag, , down]) {
  return tag === "t" || (tag === "k" && Boolean(down));
}

/** Which modifiers are down after these. @param {Iterable<number>} before @param {Typed[]} typed @returns {Set<number>} */
export function modifiersAfter(before, typed) {
  const down = new Set(before);
  for (const [tag, keysym, pressed] of typed) {
    if (tag === "r") down.clear();
    if (tag !== "k" || !isModifier(keysym)) continue;
    if (pressed) down.add(keysym);
    else down.delete(keysym);
  }
  return down;
}

/**
 * What a connection leaves, and what was typed after it: all of it, or none.
 * @param {Left} left
 * @param {Gone} gap
 * @returns {Left}
 */
export function followed(left, { kept, since, lost, dropped }) {
  if (!dropped) return { ...left, kept: [...left.kept, ...kept], since: left.since ?? since, lost: left.lost + lost };
  // half of it is worse than none
  const gone = [...left.sent.map(({ typed }) => typed), ...left.kept].filter(isStroke).length;
  return { ...left, sent: [], kept: [], since, lost: left.lost + lost + gone };
}

/** What went out on a connection and was not acknowledged: it may have to be said again on the next one. Pure. */
export class Sent {
  /** @type {Logged[]} */
  #log = [];
  #from = 0;
  /** @type {Set<number>} modifiers that are down before what is in the log */
  #down = new Set();
  /** The pointer is locked: a click is meant for where the desktop has it, which nobody knows here. */
  #locked = false;

  /** @param {number} seq @param {number} at when it was typed @param {Typed} typed */
  push(seq, at, typed) {
    const [tag] = typed;
    if (tag === "d") this.#locked = true;
    if (tag === "m") this.#locked = false;
    if (!["k", "t", "r"].includes(tag) && !(["b", "w"].includes(tag) && !this.#locked)) return false;
    this.#log.push({ seq, at, typed });
    if (this.#log.length > LIMITS.gap.most) {
      this.#from = this.#log[0]?.seq ?? 0;
      this.acknowledged(this.#from);
    }
    return true;
  }

  /** The guest has taken all up to this number. @param {number} seq */
  acknowledged(seq) {
    const count = this.#log.findIndex((one) => one.seq > seq);
    const gone = this.#log.splice(0, count < 0 ? this.#log.length : count);
    this.#down = modifiersAfter(this.#down, gone.map(({ typed }) => typed));
  }

  get empty() {
    return this.#log.length === 0;
  }

  /** @returns {Pick<Left, "sent" | "from" | "held">} */
  left() {
    return { sent: [...this.#log], from: this.#from, held: [...this.#down] };
  }

  /** Nothing of it is to be said again. */
  clear() {
    this.acknowledged(Infinity);
  }
}

/**
 * What of it the next connection has to say.
 * @param {Left} left
 * @param {number | null} had the last number that the guest took of that connection; null when nobody knows
 * @param {number} now
 * @returns {{ typed: Typed[], held: number[], since: number, lost: number }} `typed` in order, with the modifiers that were
 *   down before it, typed from `since` on; `lost` key presses and texts are dropped. Half a word is worse than none: it is all
 *   or nothing, but where nobody knows what arrived, what was never sent is said.
 */
export function due({ sent, from, held, kept, since, lost }, had, now) {
  const rest = had === null ? [] : sent.filter(({ seq }) => seq > had);
  const unknown = had === null ? sent.map(({ typed }) => typed) : [];
  const down = modifiersAfter(held, sent.slice(0, sent.length - rest.length).map(({ typed }) => typed));
  const all = [...rest.map(({ typed }) => typed), ...kept];
  const first = Math.min(rest[0]?.at ?? now, since ?? now);
  const dropped = now - first > LIMITS.gap.keepMs || (had !== null && had < from);
  const typed = dropped ? [] : all;
  const missed = [...unknown, ...(dropped ? all : [])].filter(isStroke).length;
  return { typed, held: [...down], since: first, lost: lost + missed };
}
