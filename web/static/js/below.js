import { Echo } from "./echo.js";
import { LIMITS } from "./limits.js";
import { Retry } from "./retry.js";

/** @import { LadderCommand, LadderEvent } from "../../types/model" */

/** @typedef {{ vnc: number, since: number, picture: boolean, dead: boolean, echo: Echo, pingAt: number }} Vnc */

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

  /** True while one is on the screen that is known to be cut off, or stands still. @param {number} awake */
  lost(awake) {
    return this.shown !== null && !this.runs(awake);
  }

  /** True while one is on the screen that works. @param {number} awake */
  runs(awake) {
    return this.shown !== null && !this.shown.dead && this.shown.echo.waits(awake) < LIMITS.still.lostMs;
  }

  /** True while what is typed should wait: nobody says that it arrives. @param {number} awake */
  doubts(awake) {
    return this.shown !== null && this.shown.echo.waits(awake) >= LIMITS.still.doubtMs;
  }

  /** Ask the one on the screen for a sign of life. @param {number} awake */
  ping(awake) {
    const { shown } = this;
    if (!shown || shown.dead || awake - shown.pingAt < LIMITS.still.pingMs) return;
    shown.pingAt = awake;
    shown.echo.ping(awake);
    this.#out({ do: "ping-vnc", vnc: shown.vnc });
  }

  /** @param {Extract<LadderEvent, { vnc: number }>} event @param {number} awake @returns {boolean} whether anything may follow */
  take(event, awake) {
    const vnc = [this.spare, this.shown].find((one) => one?.vnc === event.vnc);
    if (!vnc) return false;
    if (event.type === "vnc-heard") return this.#heard(vnc, event.what, awake);
    if (event.type === "vnc-picture") vnc.picture = true;
    else vnc.dead = true;
    return true;
  }

  /** @param {Vnc} vnc @param {"answer" | "picture" | "nobody"} what @param {number} awake */
  #heard(vnc, what, awake) {
    const was = this.lost(awake);
    if (what === "answer") vnc.echo.pong();
    else if (what === "picture") vnc.echo.forgive();
    else vnc.echo = new Echo();
    // it goes on, so nothing need follow it
    if (was && !this.lost(awake)) this.dropSpare();
    return was;
  }

  /** Nothing that happened while nobody looked counts against it. @param {number} now */
  forgive(now) {
    if (this.spare) this.spare.since = now;
    this.shown?.echo.forgive();
  }

  /** Give up a spare one that failed or took too long. @param {number} now */
  bury(now) {
    const { spare } = this;
    if (!spare || !(spare.dead || (!spare.picture && now - spare.since >= LIMITS.vncTryMs))) return;
    this.dropSpare();
    this.retry.fail(now);
  }

  /** Open a spare one, unless there is one or it is too early. @param {number} now @param {number} awake */
  open(now, awake) {
    if (this.spare || this.runs(awake) || !this.retry.due(now)) return;
    this.#count += 1;
    this.spare = { vnc: this.#count, since: now, picture: false, dead: false, echo: new Echo(), pingAt: -Infinity };
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
