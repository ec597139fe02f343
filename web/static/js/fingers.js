/** @import { Point, Touch } from "../../types/model" */

/** What the guest takes at one time. */
const MOST = 10;

/** Which fingers are down, and where, as the guest is to hear it. Pure; places are the desktop's pixels. */
export class Fingers {
  /** @type {Map<number, number>} the browser's number of a finger -> ours, the lowest that is free */
  #numbers = new Map();
  /** @type {Map<number, Point>} */
  #at = new Map();

  get any() {
    return this.#numbers.size > 0;
  }

  /** Whether this finger is down. @param {number} id */
  has(id) {
    return this.#numbers.has(id);
  }

  /**
   * @param {Touch["type"]} type @param {number} id @param {Point} place
   * @returns {boolean} whether the guest is to hear of it; a finger too many is none
   */
  handle(type, id, place) {
    if (type === "down") return this.#down(id, place);
    const number = this.#numbers.get(id);
    if (number === undefined) return false;
    if (type === "move") {
      this.#at.set(number, place);
      return true;
    }
    this.#numbers.delete(id);
    this.#at.delete(number);
    return true;
  }

  /** All that are down: `[number, x, y]` each. */
  list() {
    return [...this.#at].map(([number, { x, y }]) => [number, x, y]);
  }

  clear() {
    this.#numbers.clear();
    this.#at.clear();
  }

  /** @param {number} id @param {Point} place */
  #down(id, place) {
    const number = Array.from({ length: MOST }, (_, free) => free).find((free) => !this.#at.has(free));
    if (number === undefined || this.#numbers.has(id)) return false;
    this.#numbers.set(id, number);
    this.#at.set(number, place);
    return true;
  }
}
