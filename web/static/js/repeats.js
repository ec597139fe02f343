import { isMac } from "./platform.js";
import { isModifier } from "./sent.js";

const FIRST_MS = 500;
const EACH_MS = 33;

/**
 * When the key that is held repeats: as often as the viewer's own keyboard says it again. macOS offers accents in place of
 * that where a text can be written, so there a clock says it.
 */
export class Repeats {
  #again;
  #clock;
  /** @type {number | null} by the clock */
  #keysym = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {(keysym: number) => void} again @param {boolean} [clock] */
  constructor(again, clock = isMac()) {
    this.#again = again;
    this.#clock = clock;
  }

  /** A key went down. @param {number} keysym */
  down(keysym) {
    if (!this.#clock || isModifier(keysym)) return;
    this.stop();
    this.#keysym = keysym;
    this.#wait(FIRST_MS);
  }

  /** Its keyboard says once more that it is down. @param {number} keysym */
  said(keysym) {
    if (!this.#clock && !isModifier(keysym)) this.#again(keysym);
  }

  /** A key went up. @param {number} keysym */
  up(keysym) {
    if (keysym === this.#keysym) this.stop();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#keysym = null;
  }

  /** @param {number} ms */
  #wait(ms) {
    this.#timer = setTimeout(() => {
      if (this.#keysym === null) return;
      this.#again(this.#keysym);
      this.#wait(EACH_MS);
    }, ms);
  }
}
