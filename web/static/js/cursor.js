/** Browsers show no larger cursor; a larger one could also cover the page around the desktop. */
const MOST_PX = 128;
const MOST_BASE64 = 12_000;
const MOST_KEPT = 64;
const PNG_HEAD = "\x89PNG\r\n\x1a\n";

/** @import { Size } from "../../types/model" */

/**
 * The size that a PNG says it has.
 * @param {string} base64
 * @returns {Size | null} null for what is no PNG, or one that is too large for a cursor
 */
export function pngSize(base64) {
  if (base64.length > MOST_BASE64 || !/^[A-Za-z0-9+/]{32,}={0,2}$/.test(base64)) return null;
  const head = atob(base64.slice(0, 32));
  if (!head.startsWith(PNG_HEAD) || head.slice(12, 16) !== "IHDR") return null;
  const width = number(head, 16);
  const height = number(head, 20);
  return width > 0 && height > 0 && width <= MOST_PX && height <= MOST_PX ? { width, height } : null;
}

/** Turns the guest's cursor messages into CSS; remembers shapes by serial. Hostile input gives `default`. */
export class Cursors {
  /** @type {Map<number, string>} */
  #kept = new Map();

  /**
   * @param {unknown[]} message `["cursor", serial, hot_x, hot_y, png]`
   * @returns {string} a value for CSS `cursor`
   */
  css([, serial, hotX, hotY, png]) {
    if (serial === 0) return "none";
    if (typeof serial !== "number" || typeof png !== "string") return "default";
    if (png === "") return this.#kept.get(serial) ?? "default";
    const size = pngSize(png);
    if (!size) return "default";
    const css = `url("data:image/png;base64,${png}") ${hot(hotX, size.width)} ${hot(hotY, size.height)}, default`;
    this.#keep(serial, css);
    return css;
  }

  /** @param {number} serial @param {string} css */
  #keep(serial, css) {
    this.#kept.delete(serial);
    this.#kept.set(serial, css);
    const oldest = this.#kept.keys().next();
    if (this.#kept.size > MOST_KEPT && !oldest.done) this.#kept.delete(oldest.value);
  }
}

/** @param {unknown} value @param {number} size */
function hot(value, size) {
  return typeof value === "number" && value >= 0 ? Math.min(Math.trunc(value), size - 1) : 0;
}

/** @param {string} bytes @param {number} at */
function number(bytes, at) {
  return [0, 1, 2, 3].reduce((sum, i) => sum * 256 + bytes.charCodeAt(at + i), 0);
}
