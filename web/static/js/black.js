import { LIMITS } from "./limits.js";
import { isBlack, Probe } from "./pixels.js";

/** @import { Size } from "../../types/model" */

/**
 * A live picture that is black: is it the desktop, or is the stream dead? The guest is asked, and what it says decides.
 * Pure: times are milliseconds of any steady clock.
 */
export class Black {
  /** @type {number | null} since when the picture is black */
  #since = null;
  #askedAt = -Infinity;
  #nudgedAt = -Infinity;
  /** Questions since the last answer. */
  #unanswered = 0;
  /** @type {number | null} since when the guest says that the desktop is lit, while the picture is black */
  #deniedAt = null;

  /**
   * A picture was looked at.
   * @param {number} now @param {boolean} black
   * @returns {"ask" | "nudge" | "broken" | null} ask the guest; ask for a key frame; this peer shows nothing any more
   */
  look(now, black) {
    if (!black) return this.#forget();
    this.#since ??= now;
    if (now - this.#since < LIMITS.black.passingMs) return null;
    if (this.#deniedAt !== null && now - this.#deniedAt >= LIMITS.black.brokenMs) return "broken";
    if (now - this.#askedAt >= LIMITS.black.askMs && this.#unanswered < LIMITS.black.unanswered) {
      this.#askedAt = now;
      this.#unanswered += 1;
      return "ask";
    }
    if (this.#deniedAt === null || now - this.#nudgedAt < LIMITS.black.nudgeMs) return null;
    this.#nudgedAt = now;
    return "nudge";
  }

  /** The guest's answer. @param {number} now @param {boolean} lit something on the desktop is not black */
  told(now, lit) {
    this.#unanswered = 0;
    if (this.#since === null) return;
    if (lit) this.#deniedAt ??= now;
    else this.#deniedAt = null;
  }

  /** @returns {null} */
  #forget() {
    this.#since = this.#deniedAt = null;
    return null;
  }
}

/** Looks at a live picture now and then, and at each one while it is black. */
export class BlackWatch {
  #black = new Black();
  #probe = new Probe();
  #lookAt = 0;
  /** The newest picture was looked at, and is not black. */
  lit = false;
  #do;

  /** @param {{ ask: () => void, nudge: () => void, broken: () => void }} deeds */
  constructor(deeds) {
    this.#do = deeds;
  }

  /** A picture was drawn. @param {number} now @param {CanvasImageSource} picture @param {Size} size */
  drawn(now, picture, size) {
    this.lit = false;
    if (now < this.#lookAt) return;
    const black = !this.#probe.isLit(picture) && isBlack(picture, size);
    this.lit = !black;
    this.#lookAt = now + (black ? LIMITS.black.passingMs / 2 : LIMITS.black.lookMs);
    const what = this.#black.look(now, black);
    if (what) this.#do[what]();
  }

  /** The guest's answer. @param {number} now @param {unknown} lit it may say anything */
  told(now, lit) {
    if (lit === 0 || lit === 1) this.#black.told(now, lit === 1);
  }
}
