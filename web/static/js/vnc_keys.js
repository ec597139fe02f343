import { keysAlone, whole } from "./gap.js";
import { Heir } from "./heir.js";
import { Keys } from "./keys.js";
import { keysymsOf } from "./keysyms.js";

/** @import { ChannelSocket } from "./channel_socket.js" */
/** @import { Typed } from "./gap.js" */
/** @import { Left } from "./sent.js" */

/** The keyboard's own states: a keysym says already what they made of a key. */
const LOCKS = [0xffe5, 0xff7f];

/**
 * Keys, committed text and pastes of the noVNC rung, as the other rung has them: to the machine's stream server,
 * which repeats what is held and knows what no key has; by RFB while that cannot be reached.
 */
export class VncKeys {
  #send;
  #channel;
  #keys;
  #heir;
  #dropped;
  /** @type {Set<number>} what went down by RFB */
  #down = new Set();

  /**
   * @param {HTMLElement} layer @param {(keysym: number, down?: boolean) => void} send by RFB @param {ChannelSocket} channel
   * @param {(count: number) => void} dropped so many key presses and texts are given up
   */
  constructor(layer, send, channel, dropped) {
    this.#send = send;
    this.#channel = channel;
    this.#dropped = dropped;
    this.#heir = new Heir({
      ask: (epoch) => channel.say("o", epoch),
      type: (typed, held) => this.#repeat(typed, held),
      after: (typed) => typed.forEach(([tag, ...rest]) => this.#say(tag, rest)),
      lost: dropped,
    });
    channel.hear({ open: () => this.#heir.ask(), had: (epoch, had) => this.#heir.told(epoch, had) });
    this.#keys = new Keys(layer, {
      control: (tag, ...rest) => this.#say(tag, rest),
      again: (keysym) => this.#again(keysym),
      clip: channel.clip,
    });
    layer.addEventListener("pointerdown", () => this.#keys.focus());
    layer.addEventListener("focusin", ({ target }) => target !== this.#keys.field && this.#keys.focus());
  }

  focus() {
    this.#keys.focus();
  }

  /** @param {string} text */
  type(text) {
    this.#keys.type(text);
  }

  /** Press the desktop's paste key. */
  paste() {
    this.#keys.tap(0x76, true);
  }

  /** What of an earlier rung this one could not go on with. */
  left() {
    return this.#heir.leave();
  }

  /** Go on where another rung ended. @param {Left} left */
  inherit(left) {
    this.#heir.take(left);
  }

  /** Nothing that was typed until now is to be said again. */
  forget() {
    this.#heir.forget();
  }

  stop() {
    this.#heir.forget();
    this.#keys.release();
    this.#keys.stop();
  }

  /** RFB is given what was typed up to the first click. @param {Typed[]} typed @param {number[]} held */
  #repeat(typed, held) {
    const { keys, lost } = this.#channel.ready ? { keys: typed, lost: 0 } : keysAlone(typed);
    for (const [tag, ...rest] of whole(keys, held)) this.#say(tag, rest);
    if (lost > 0) this.#dropped(lost);
  }

  /** A key that is down repeats: now or not at all. @param {number} keysym */
  #again(keysym) {
    if (this.#heir.waits) return;
    if (this.#down.has(keysym)) this.#press(keysym, true);
    else if (!this.#channel.crowded) this.#channel.say("k", keysym, 1);
  }

  /** @param {string} tag @param {unknown[]} rest */
  #say(tag, rest) {
    const [first, second] = rest;
    if (this.#heir.waits) {
      if (tag !== "h") this.#heir.keep([tag, ...rest]);
      return;
    }
    if (tag === "r") for (const keysym of [...this.#down]) this.#press(keysym, false);
    // what went down by RFB comes up by it
    const byRfb = tag === "k" && !second && this.#down.has(Number(first));
    if (!byRfb && this.#channel.say(tag, ...rest)) return;
    if (tag === "k" && typeof first === "number") this.#press(first, second === 1);
    if (tag === "t" && typeof first === "string") for (const keysym of keysymsOf(first)) this.#send(keysym);
  }

  /** @param {number} keysym @param {boolean} down */
  #press(keysym, down) {
    if (LOCKS.includes(keysym)) return;
    if (down) this.#down.add(keysym);
    else this.#down.delete(keysym);
    this.#send(keysym, down);
  }
}
