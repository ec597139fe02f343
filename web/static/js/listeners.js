/** Who wants to hear of what: `on` adds one, `tell` calls them all. One that throws does not keep it from the others. */
export class Listeners {
  /** @type {Map<string, Set<(...what: any[]) => void>>} */
  #byKind = new Map();

  /**
   * @param {string} kind
   * @param {(...what: any[]) => void} listener
   * @returns {() => void} ends it
   */
  on(kind, listener) {
    const listeners = this.#byKind.get(kind) ?? new Set();
    this.#byKind.set(kind, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** @param {string} kind @param {...unknown} what */
  tell(kind, ...what) {
    for (const listener of [...(this.#byKind.get(kind) ?? [])]) {
      try {
        listener(...what);
      } catch (error) {
        console.error(error);
      }
    }
  }
}
