/** Which keysyms are down, by the physical key that pressed them. Pure: it says what to send. */
export class Held {
  /** @type {Map<string, number>} */
  #keys = new Map();

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

  /** @param {string} code */
  has(code) {
    return this.#keys.has(code);
  }

  /** What is down now, each keysym once: the heartbeat's content. */
  keysyms() {
    return [...new Set(this.#keys.values())];
  }

  /** Forget everything. @returns {boolean} whether anything was down */
  clear() {
    const any = this.#keys.size > 0;
    this.#keys.clear();
    return any;
  }
}
