/** @import { ClipItem } from "../../types/model" */

/**
 * Whose clipboard is the newer one, the desktop's or the one of this computer. The guest numbers the copies that the
 * desktop's programs make; what this page sends says which of them it knew of. Pure.
 */
export class ClipOrder {
  /** The desktop's last copy that this page knows of; -1: it has not met the desktop yet. */
  #copies = -1;
  /** A program of the desktop copied after the last item that both sides know. */
  #newer = false;
  /** Since that copy, something may have been copied on this computer. */
  #left = false;
  /** @type {ClipItem | null} the last item that both sides know */
  #agreed = null;
  /** The desktop's last copy that came here. */
  #came = 0;

  get copies() {
    return Math.max(this.#copies, 0);
  }

  /** A way to the guest is open. @param {unknown} copies of a guest, who may say anything */
  met(copies) {
    if (!isCount(copies)) return;
    // what was copied while no way was open; a stream server that was started anew counts from zero
    if (this.#copies >= 0 && copies > this.#copies) this.copied(copies);
    this.#came = Math.min(this.#came, copies);
    this.#copies = copies;
  }

  /** A program of the desktop took the clipboard. @param {unknown} copies so often by now */
  copied(copies) {
    if (!isCount(copies)) return;
    this.#copies = copies;
    this.#newer = true;
    this.#left = false;
  }

  /** Whether the desktop's copy of this number comes for the first time. @param {number} copies */
  first(copies) {
    if (copies <= this.#came) return false;
    this.#came = copies;
    return true;
  }

  /** The user left the page, or copied something in it: this computer's clipboard may have changed. */
  left() {
    this.#left = true;
  }

  /** Both sides hold `item`, as far as the desktop's copies are known up to this number. @param {ClipItem} item @param {number} copies */
  agree(item, copies) {
    this.#agreed = item;
    if (copies >= this.#copies) this.#newer = false;
  }

  /** Whether a paste of this computer's `item` means it, and not what the desktop copied since. @param {ClipItem} item */
  means(item) {
    return !this.#newer || (this.#left && !isSame(item, this.#agreed));
  }
}

/** @param {unknown} value @returns {value is number} */
function isCount(value) {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** @param {ClipItem} one @param {ClipItem | null} other */
function isSame(one, other) {
  if (one.type !== other?.type || one.data.length !== other.data.length) return false;
  return one.data.every((byte, at) => byte === other.data[at]);
}
