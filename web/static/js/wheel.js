/** One click of an ordinary wheel, in the units of `wheelDelta`. */
const CLICK = 120;
/** Pixels that a browser on the desktop scrolls for one notch: what moves smoothly here moves as far there. */
const NOTCH_PX = 53;
/** A pinch of this much is one notch with Control: a tenth of the size or a little more. */
const PINCH = 10;
const LINE_PX = 34;
const MOST = 10;
/** Most pixels of one relative move, as the guest takes it. */
const MOST_STEP = 4096;

/** Sums up wheel movements, also small ones (touchpads, fingers), into whole notches. */
export class Wheel {
  #x = 0;
  #y = 0;
  #pinch = 0;

  /**
   * @param {{ deltaX: number, deltaY: number, deltaMode: number, ctrlKey?: boolean, wheelDeltaX?: number, wheelDeltaY?: number }} event
   * @param {number} pageHeight for browsers that scroll by pages
   * @param {number} [scale] pixels of the screen in one of the desktop's
   * @returns {{ dx: number, dy: number } | null} whole notches, -10..10, right and down positive
   */
  add(event, pageHeight, scale = 1) {
    const clicks = isClick(event);
    if (clicks) return this.scroll(clicks.dx * NOTCH_PX, clicks.dy * NOTCH_PX);
    if (event.ctrlKey) return this.#zoom(event.deltaY);
    const unit = (event.deltaMode === 1 ? LINE_PX : event.deltaMode === 2 ? pageHeight : 1) / scale;
    return this.scroll(event.deltaX * unit, event.deltaY * unit);
  }

  /**
   * The desktop's content is to move by so many of its pixels.
   * @param {number} x
   * @param {number} y
   * @returns {{ dx: number, dy: number } | null}
   */
  scroll(x, y) {
    this.#x = sum(this.#x, x);
    this.#y = sum(this.#y, y);
    const dx = notches(this.#x / NOTCH_PX);
    const dy = notches(this.#y / NOTCH_PX);
    this.#x %= NOTCH_PX;
    this.#y %= NOTCH_PX;
    return dx || dy ? { dx, dy } : null;
  }

  /** @param {number} delta */
  #zoom(delta) {
    this.#pinch = sum(this.#pinch, delta);
    const dy = notches(this.#pinch / PINCH);
    this.#pinch %= PINCH;
    return dy ? { dx: 0, dy } : null;
  }
}

/** Sums up relative moves into whole pixels of the desktop. */
export class Steps {
  #x = 0;
  #y = 0;

  /** @param {number} x @param {number} y @returns {{ dx: number, dy: number }} */
  add(x, y) {
    this.#x += x;
    this.#y += y;
    const dx = Math.trunc(this.#x);
    const dy = Math.trunc(this.#y);
    this.#x -= dx;
    this.#y -= dy;
    return { dx: within(dx, MOST_STEP), dy: within(dy, MOST_STEP) };
  }
}

/**
 * Clicks of an ordinary wheel, however many pixels the browser makes of one.
 * @param {{ deltaMode: number, wheelDeltaX?: number, wheelDeltaY?: number }} event
 */
function isClick({ wheelDeltaX = 0, wheelDeltaY = 0 }) {
  if (!(wheelDeltaX || wheelDeltaY) || wheelDeltaX % CLICK || wheelDeltaY % CLICK) return null;
  return { dx: -wheelDeltaX / CLICK, dy: -wheelDeltaY / CLICK };
}

/** A change of direction forgets what was left over from the other. @param {number} rest @param {number} more */
function sum(rest, more) {
  return rest * more < 0 ? more : rest + more;
}

/** @param {number} count */
function notches(count) {
  // a sum of parts may fall short of a whole by the last bit
  return within(Math.trunc(count + Math.sign(count) * 1e-9), MOST);
}

/** @param {number} value @param {number} most */
function within(value, most) {
  return Math.min(Math.max(value, -most), most) + 0;
}
