/** Kinds of messages that are kept. */
const MOST = 32;

/** What the guest says before anybody listens: the newest message of each kind, for whoever takes them. */
export class FirstWords {
  /** @type {Map<unknown, unknown[]> | null} null once they are taken */
  #kept = new Map();

  /** @param {unknown[]} message @returns {boolean} false: somebody listens by now */
  keep(message) {
    const [tag] = message;
    if (!this.#kept) return false;
    if (this.#kept.has(tag) || this.#kept.size < MOST) this.#kept.set(tag, message);
    return true;
  }

  /** All of them, once. */
  take() {
    const kept = [...(this.#kept?.values() ?? [])];
    this.#kept = null;
    return kept;
  }
}
