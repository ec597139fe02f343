import { LIMITS } from "./limits.js";
import { Retry } from "./retry.js";

/** @import { LadderCommand, LadderEvent } from "../../types/model" */

/** @typedef {{ vnc: number, since: number, picture: boolean, dead: boolean }} Vnc */

/** The ladder's lower rung: the noVNC on the screen, the one beside it, and when the next may be tried. */
export class Below {
  /** @type {Vnc | null} on the screen; may be dead, its last picture stays */
  shown = null;
  /** @type {Vnc | null} not on the screen yet */
  spare = null;
  retry;
  #out;
  #count = 0;

  /** @param {(command: LadderCommand) => void} out @param {() => number} random */
  constructor(out, random) {
    this.#out = out;
    this.retry = new Retry(LIMITS.vnc, random);
  }

  /** True while one is on the screen that is known to be cut off. */
  get lost() {
    return this.shown?.dead ?? false;
  }

  /** True while one is on the screen that works. */
  get runs() {
    return this.shown !== null && !this.shown.dead;
  }

  /** @param {Extract<LadderEvent, { vnc: number }>} event @returns {boolean} whether anything may follow */
  take(event) {
    const vnc = [this.spare, this.shown].find((one) => one?.vnc === event.vnc);
    if (!vnc) return false;
    if (event.type === "vnc-picture") vnc.picture = true;
    else vnc.dead = true;
    return true;
  }

  /** Nothing that happened while nobody looked counts against it. @param {number} now */
  forgive(now) {
    if (this.spare) this.spare.since = now;
  }

  /** Give up a spare one that failed or took too long. @param {number} now */
  bury(now) {
    const { spare } = this;
    if (!spare || !(spare.dead || (!spare.picture && now - spare.since >= LIMITS.vncTryMs))) return;
    this.dropSpare();
    this.retry.fail(now);
  }

  /** Open a spare one, unless there is one or it is too early. @param {number} now */
  open(now) {
    if (this.spare || this.runs || !this.retry.due(now)) return;
    this.#count += 1;
    this.spare = { vnc: this.#count, since: now, picture: false, dead: false };
    this.#out({ do: "open-vnc", vnc: this.#count });
  }

  /** The spare one takes the place of the one before. @param {Vnc} vnc @param {number} now */
  took(vnc, now) {
    this.shown = vnc;
    this.spare = null;
    this.retry.anew(now);
  }

  dropSpare() {
    if (this.spare) this.#out({ do: "close-vnc", vnc: this.spare.vnc });
    this.spare = null;
  }

  dropShown() {
    if (this.shown) this.#out({ do: "close-vnc", vnc: this.shown.vnc });
    this.shown = null;
  }
}
