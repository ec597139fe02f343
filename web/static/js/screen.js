import { Following } from "./following.js";
import { Layers } from "./layers.js";
import { NO_STATS, Recent } from "./statistics.js";
import { WebRtc } from "./webrtc.js";

/** @import { Vnc } from "./vnc.js" */
/** @import { Size, Stats } from "../../types/model" */

/**
 * What is on the screen: one rung, or none, and how the desktop follows the room it has.
 */
export class Screen {
  layers;
  following;
  #drives;
  #recent = new Recent();
  /** @type {WebRtc | Vnc | null} */
  #rung = null;
  /** The user wants a screen keyboard, on whichever rung. */
  #keyboard = false;

  /** @param {HTMLElement} stage @param {() => boolean} drives true while this viewer may change the desktop's size */
  constructor(stage, drives) {
    this.#drives = drives;
    this.layers = new Layers(stage);
    this.following = new Following({
      room: () => this.layers.size(),
      size: () => (drives() ? (this.#rung?.size() ?? null) : null),
      resize: (/** @type {Size} */ size) => this.#rung?.resize(size),
      dense: (percent) => Boolean(this.webrtc?.send("z", percent)),
    });
  }

  /** @returns {WebRtc | Vnc | null} */
  get rung() {
    return this.#rung;
  }

  /** True while a screen keyboard is wanted. */
  get keyboard() {
    return this.#keyboard;
  }

  set keyboard(on) {
    this.#keyboard = on;
    this.#rung?.screenKeyboard(on);
  }

  /** The WebRTC rung while it is on the screen. */
  get webrtc() {
    return this.#rung instanceof WebRtc ? this.#rung : null;
  }

  /**
   * Put a rung on the screen that has drawn.
   * @param {WebRtc | Vnc} rung
   * @param {HTMLElement} element
   * @returns {boolean} whether it is another than before
   */
  show(rung, element) {
    const before = this.#rung;
    const other = rung !== before;
    const left = other && this.#drives() ? before?.left() : null;
    this.#rung = rung;
    if (left) rung.inherit(left);
    if (other && this.#keyboard) rung.screenKeyboard(true);
    this.#recent = new Recent();
    if (this.layers.show(rung.layer, element)) rung.focus();
    this.following.soon();
    return other;
  }

  /** @param {WebRtc | Vnc | undefined} rung closed a moment ago @returns {boolean} whether it was on the screen */
  gone(rung) {
    if (!rung || this.#rung !== rung) return false;
    this.#rung = null;
    return true;
  }

  /** @returns {Promise<Stats>} */
  async stats() {
    return this.#rung ? this.#recent.add(await this.#rung.sample()) : { ...NO_STATS };
  }
}
