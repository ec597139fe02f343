/** @import { Latest } from "./statistics.js" */

/** Inputs, drawn frames and marks that are remembered: a few seconds of them. */
const REMEMBERED = 512;
/** Latencies of which the middle is told. */
const TOLD = 10;
/** A frame counts as marked within this many ticks of 90 kHz: decoders give times in microseconds. */
const NEAR_TICKS = 3;
const TICKS = 2 ** 32;
/** No part of a picture's way takes longer. Milliseconds. */
const MOST_MS = 60_000;

/**
 * Input to picture, by marks: the guest says which frame is the first after an input, and the page knows when it
 * sent that input and when it drew that frame. All times are the page's, but for the guest's own three durations.
 */
export class Marks {
  /** @type {Map<number, number>} when each input was sent, by its number */
  #sent = new Map();
  /** @type {{ rtp: number, at: number }[]} */
  #drawn = [];
  /** @type {{ rtp: number, sent: number, parts: number[] }[]} */
  #waiting = [];
  /** @type {Latest[]} */
  #found = [];
  /** How many were measured. */
  #count = 0;

  /** @param {number} seq @param {number} now */
  sent(seq, now) {
    this.#sent.set(seq, now);
    if (this.#sent.size > REMEMBERED) this.#sent.delete(this.#sent.keys().next().value ?? seq);
  }

  /** A frame was drawn. @param {number} rtp its RTP timestamp @param {number} now */
  drawn(rtp, now) {
    this.#drawn.push({ rtp, at: now });
    if (this.#drawn.length > REMEMBERED) this.#drawn.shift();
    this.#match();
  }

  /** @param {unknown[]} message `["mark", seq, rtp, act, grab, send, …]`, from a guest that may say anything */
  marked([, seq, rtp, ...parts]) {
    const sent = typeof seq === "number" ? this.#sent.get(seq) : undefined;
    if (sent === undefined || typeof rtp !== "number" || !(rtp >= 0 && rtp < TICKS)) return;
    // What follows the three is of `send`, for benchmarks.
    const durations = parts.slice(0, 3).filter((one) => typeof one === "number" && one >= 0 && one < MOST_MS);
    if (durations.length !== 3) return;
    this.#sent.delete(/** @type {number} */ (seq));
    this.#waiting.push({ rtp, sent, parts: /** @type {number[]} */ (durations) });
    if (this.#waiting.length > TOLD) this.#waiting.shift();
    this.#match();
  }

  /** The middle one of the last ten, with its parts; null when there is none. @returns {Latest | null} */
  latest() {
    const sorted = [...this.#found].sort((a, b) => a.ms - b.ms);
    return sorted[(sorted.length - 1) >> 1] ?? null;
  }

  /**
   * Those measured after the first `count`, as far as they are remembered, and how many there were by now.
   * @param {number} count
   * @returns {{ count: number, measured: number[] }}
   */
  since(count) {
    const fresh = Math.min(Math.max(this.#count - count, 0), this.#found.length);
    return { count: this.#count, measured: this.#found.slice(this.#found.length - fresh).map(({ ms }) => ms) };
  }

  #match() {
    this.#waiting = this.#waiting.filter(({ rtp, sent, parts }) => {
      // The first that shows it: a frame that was skipped is shown by the next.
      const frame = this.#drawn.find((one) => one.at >= sent && after(one.rtp, rtp) >= -NEAR_TICKS);
      if (!frame) return true;
      const [act = 0, grab = 0, send = 0] = parts;
      const ms = frame.at - sent;
      const rest = Math.max(ms - act - grab - send, 0);
      this.#found.push({ ms: round(ms), act_ms: act, grab_ms: grab, send_ms: send, rest_ms: round(rest) });
      this.#count += 1;
      if (this.#found.length > TOLD) this.#found.shift();
      return false;
    });
  }
}

/** Ticks from `b` to `a`, negative when `a` is earlier; RTP timestamps wrap. @param {number} a @param {number} b */
function after(a, b) {
  const ticks = (a - b + TICKS) % TICKS;
  return ticks < TICKS / 2 ? ticks : ticks - TICKS;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
