/** Which keysyms are down, by the physical key that pressed them, and which buttons. Pure: it says what to send. */
export class Held {
  /** @type {Map<string, number>} */
  #keys = new Map();
  /** @type {Set<number>} */
  #buttons = new Set();

  /**
   * A key went down; a key that is down already keeps the keysym it went down with.
   * @param {string} code
   * @param {number} keysym
   * @returns {number} the keysym to send
   */
  down(code, keysym) {
    const held = this.#keys.get(code) ?? keysym;
    this.#keys.set(code, held);
    return held;
  }

  /**
   * @param {string} code
   * @returns {number | null} the keysym to release; null when that key is not down, or another one holds the same
   */
  up(code) {
    const keysym = this.#keys.get(code);
    if (keysym === undefined) return null;
    this.#keys.delete(code);
    return this.keysyms().includes(keysym) ? null : keysym;
  }

  /** The keysym that the key of this code went down with; null: it is not down. @param {string} code */
  keysym(code) {
    return this.#keys.get(code) ?? null;
  }

  /** @param {number} button @param {boolean} down */
  button(button, down) {
    if (down) this.#buttons.add(button);
    else this.#buttons.delete(button);
  }

  /** Whether a key or a button is down: the guest is to hear so each second. */
  get any() {
    return this.#keys.size + this.#buttons.size > 0;
  }

  /** What is down now, each keysym once: the heartbeat's content. */
  keysyms() {
    return [...new Set(this.#keys.values())];
  }

  /** Forget everything. @returns {boolean} whether anything was down */
  clear() {
    const any = this.any;
    this.#keys.clear();
    this.#buttons.clear();
    return any;
  }
}
