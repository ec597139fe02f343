/** Pixels of one notch: what browsers report for one click of an ordinary wheel lies between 100 and 120. */
const NOTCH_PX = 100;
const LINE_PX = 34;
const MOST = 10;

/** Sums up small wheel movements (touchpads) into whole notches. */
export class Wheel {
  #x = 0;
  #y = 0;

  /**
   * @param {{ deltaX: number, deltaY: number, deltaMode: number }} event
   * @param {number} pageHeight for browsers that scroll by pages
   * @returns {{ dx: number, dy: number } | null} whole notches, -10..10, right and down positive
   */
  add(event, pageHeight) {
    const unit = event.deltaMode === 1 ? LINE_PX : event.deltaMode === 2 ? pageHeight : 1;
    this.#x = sum(this.#x, event.deltaX * unit);
    this.#y = sum(this.#y, event.deltaY * unit);
    const dx = notches(this.#x);
    const dy = notches(this.#y);
    this.#x %= NOTCH_PX;
    this.#y %= NOTCH_PX;
    return dx || dy ? { dx, dy } : null;
  }
}

/** A change of direction forgets what was left over from the other. @param {number} rest @param {number} more */
function sum(rest, more) {
  return rest * more < 0 ? more : rest + more;
}

/** @param {number} px */
function notches(px) {
  return Math.min(Math.max(Math.trunc(px / NOTCH_PX), -MOST), MOST) + 0;
}
