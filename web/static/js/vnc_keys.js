import { Gap, keysAlone, whole } from "./gap.js";
import { Heir } from "./heir.js";
import { Keys } from "./keys.js";
import { keysymsOf } from "./keysyms.js";
import { LIMITS } from "./limits.js";
import { followed, isStroke } from "./sent.js";
import { Unheard } from "./unheard.js";

/** @import { ChannelSocket } from "./channel_socket.js" */
/** @import { Typed } from "./gap.js" */
/** @import { Left } from "./sent.js" */

/** The keyboard's own states: a keysym says already what they made of a key. */
const LOCKS = [0xffe5, 0xff7f];

/**
 * Keys, committed text and pastes of the noVNC rung, as the other rung has them: to the machine's stream server,
 * which repeats what is held and knows what no key has; by RFB while that cannot be reached. Once RFB is gone, they wait for another rung.
 */
export class VncKeys {
  #rfb;
  #channel;
  #keys;
  #heir;
  #dropped;
  #unheard = new Unheard();
  #gap = new Gap();
  /** RFB is gone. */
  #broken = false;
  /** Nobody says that what goes out arrives. */
  #holds = false;
  /** The channel is on its way, or may be back at once: RFB knows fewer signs, its keys may come after those of the channel, and
   * what broke the one may be about to break the other. */
  #awaits;
  /** The channel was there. */
  #opened;
  /** @type {ReturnType<typeof setTimeout> | undefined} until the channel is not waited for any more */
  #awaiting;
  /** What of a connection before it never came to this one until it broke. @type {Left | null} */
  #before = null;
  /** When what is said was typed, where that is not now. @type {number | null} */
  #typedAt = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} until the guest is asked for an acknowledgement */
  #asking;
  /** @type {Set<number>} what went down by RFB */
  #down = new Set();

  /**
   * @param {HTMLElement} layer
   * @param {{ key: (keysym: number, down?: boolean) => void, ready: () => boolean }} rfb not `ready`: what it is given is lost
   * @param {ChannelSocket} channel
   * @param {{ dropped: (count: number) => void, heard: (up: boolean) => void }} on so many key presses and texts are given up;
   *   a ping was answered, or nobody is there to answer one
   */
  constructor(layer, rfb, channel, { dropped, heard }) {
    this.#rfb = rfb;
    this.#channel = channel;
    this.#dropped = dropped;
    this.#opened = channel.ready;
    this.#awaits = !channel.ready;
    this.#heir = new Heir({
      ask: (epoch) => channel.say("o", epoch) > 0,
      type: (typed, held, since) => this.#repeat(typed, held, since),
      after: (typed) => typed.forEach(([tag, ...rest]) => this.#say(tag, rest)),
      lost: dropped,
    });
    channel.hear({
      open: () => {
        this.#opened = true;
        this.#heir.ask();
        this.#begin();
      },
      gone: () => this.#gone(),
      is: (epoch) => this.#unheard.is(epoch),
      took: (seq) => this.#unheard.took(seq),
      heard,
      had: (epoch, had) => this.#heir.told(epoch, had),
    });
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

  /** Let a phone's keyboard rise, or none. @param {boolean} on */
  screenKeyboard(on) {
    this.#keys.screenKeyboard(on);
  }

  /** @param {string} text */
  type(text) {
    this.#keys.type(text);
  }

  /** Press the desktop's paste key. */
  paste() {
    this.#keys.tap(0x76, true);
  }

  /** Keep what is typed, or send what was kept. @param {boolean} on */
  hold(on) {
    if (on === this.#holds) return;
    this.#holds = on;
    if (!on) this.#flush();
  }

  /** RFB is gone, and the channel with it: what is typed from now on is another rung's to type. */
  broke() {
    this.#broken = true;
    this.#before = this.#heir.leave();
  }

  /** What was typed and may not have arrived, for another rung. @returns {Left} */
  left() {
    const now = performance.now();
    const before = this.#before ?? this.#heir.leave();
    const left = followed(before ?? this.#unheard.leave(), this.#gap.end(now));
    // a paste that broke is over, with what was typed behind it: the desktop would paste something else
    const waiting = this.#keys.drop().filter((one) => isStroke(/** @type {Typed} */ (one))).length;
    const doubtful = this.#broken ? this.#unheard.lost(now) : 0;
    this.forget();
    return { ...left, lost: left.lost + waiting + doubtful };
  }

  /** Go on where another rung ended. @param {Left} left */
  inherit(left) {
    this.#heir.take(left);
  }

  /** Nothing that was typed until now is to be said again. */
  forget() {
    this.#heir.forget();
    this.#unheard.forget();
    this.#gap.end(performance.now());
    this.#before = null;
  }

  stop() {
    clearTimeout(this.#asking);
    clearTimeout(this.#awaiting);
    this.#heir.forget();
    this.#keys.release();
    this.#keys.stop();
  }

  /** The channel is gone, and RFB is not yet: its next one is asked what it brought. */
  #gone() {
    if (this.#broken) return;
    if (this.#opened) this.#awaits = true;
    else this.#begin();
    this.#opened = false;
    if (this.#heir.waits) return;
    // in order: what waits was typed behind what was sent
    const gone = this.#gap.end(performance.now());
    if (gone.dropped) this.#letGo();
    const left = followed(this.#unheard.leave(), gone);
    if (left.sent.length || left.kept.length || left.lost) this.#heir.take(left);
  }

  /** The channel is there, or is not waited for any more. */
  #begin() {
    clearTimeout(this.#awaiting);
    if (!this.#awaits) return;
    this.#awaits = false;
    this.#flush();
  }

  /** What is typed waits. */
  get #keeps() {
    return this.#heir.waits || this.#broken || this.#holds || this.#awaits || this.#parts;
  }

  /** Both sockets are closing: a moment later they are gone, and what either is given now with them. */
  get #parts() {
    return !this.#channel.ready && !this.#rfb.ready();
  }

  /** RFB is given what was typed up to the first click. @param {Typed[]} typed @param {number[]} held @param {number} since */
  #repeat(typed, held, since) {
    const { keys, lost } = this.#channel.ready ? { keys: typed, lost: 0 } : keysAlone(typed);
    this.#typedAt = since;
    for (const [tag, ...rest] of whole(keys, held)) this.#say(tag, rest);
    this.#typedAt = null;
    if (lost > 0) this.#dropped(lost);
  }

  #flush() {
    if (this.#broken || this.#holds || this.#awaits) return;
    const { kept, since, lost, dropped } = this.#gap.end(performance.now());
    // what went up in the gap would stay down
    if (dropped) this.#say("r", []);
    this.#typedAt = since;
    for (const [tag, ...rest] of kept) this.#say(tag, rest);
    this.#typedAt = null;
    if (lost > 0) this.#dropped(lost);
  }

  /** A key that is down repeats: now or not at all. @param {number} keysym */
  #again(keysym) {
    if (this.#keeps) return;
    if (this.#down.has(keysym)) this.#press(keysym, true);
    else if (!this.#channel.crowded) this.#channel.say("k", keysym, 1);
  }

  /** @param {string} tag @param {unknown[]} rest */
  #say(tag, rest) {
    const typed = /** @type {Typed} */ ([tag, ...rest]);
    const at = this.#typedAt ?? performance.now();
    if (this.#keeps) {
      if (tag !== "h") this.#keep(at, typed);
      return;
    }
    if (tag === "r") this.#letGo();
    // what went down by RFB comes up by it
    const byRfb = tag === "k" && !rest[1] && this.#down.has(Number(rest[0]));
    const seq = byRfb ? 0 : this.#channel.say(tag, ...rest);
    if (!seq) this.#byRfb(typed);
    else if (this.#unheard.push(seq, at, typed)) this.#askSoon();
  }

  /** @param {number} at @param {Typed} typed */
  #keep(at, typed) {
    if (this.#heir.waits && !this.#broken) return this.#heir.keep(typed);
    this.#gap.keep(at, typed);
    if (!this.#awaits) return;
    if (this.#gap.full) this.#begin();
    else this.#awaiting ??= setTimeout(() => this.#begin(), LIMITS.gap.awaitMs);
  }

  /** @param {Typed} typed */
  #byRfb(typed) {
    const [tag, first, second] = typed;
    this.#unheard.byRfb(performance.now(), typed);
    if (tag === "k" && typeof first === "number") this.#press(first, second === 1);
    if (tag === "t" && typeof first === "string") for (const keysym of keysymsOf(first)) this.#rfb.key(keysym);
  }

  /** Once for all that is typed in a while: the channel is in order, so its answer means everything before. */
  #askSoon() {
    this.#asking ??= setTimeout(() => {
      this.#asking = undefined;
      if (!this.#unheard.empty && this.#unheard.told) this.#channel.say("p");
    }, LIMITS.gap.acknowledgeMs);
  }

  /** Of what went down by RFB. */
  #letGo() {
    for (const keysym of [...this.#down]) this.#press(keysym, false);
  }

  /** @param {number} keysym @param {boolean} down */
  #press(keysym, down) {
    if (LOCKS.includes(keysym)) return;
    if (down) this.#down.add(keysym);
    else this.#down.delete(keysym);
    this.#rfb.key(keysym, down);
  }
}
