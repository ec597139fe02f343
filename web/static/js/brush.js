/** Frames by each way before the cheaper one is chosen. */
const TRIES = 8;
/** A copy must cost less than so much of drawing: what a GPU draws later looks cheap here, and is. */
const WORTH = 0.7;
/** Bytes of a pixel as the canvas has it. */
const PIXEL = 4;

/** @typedef {"draw" | "copy"} Way */
/** @typedef {VideoFrameCopyToOptions & { format?: string }} CopyOptions newer than the compiler's */

/** By which way frames are painted: each is tried a few times, then the cheaper one is. Pure. */
export class Ways {
  /** @type {Record<Way, number[]>} */
  #costs = { draw: [], copy: [] };
  /** @type {Way | null} */
  #chosen = null;

  /** For the next frame. @returns {Way} */
  get next() {
    return this.#chosen ?? (this.#costs.copy.length < this.#costs.draw.length ? "copy" : "draw");
  }

  /** @param {Way} way @param {number} ms */
  took(way, ms) {
    if (this.#chosen) return;
    this.#costs[way].push(ms);
    const { draw, copy } = this.#costs;
    if (draw.length >= TRIES && copy.length >= TRIES) this.#chosen = middle(copy) < WORTH * middle(draw) ? "copy" : "draw";
  }

  /** This browser cannot copy. */
  drawOnly() {
    this.#chosen = "draw";
  }
}

/**
 * Puts decoded frames on a canvas. Where the browser composites in software, `drawImage` takes 4 to 5 ms for a frame of
 * 1280x720 and a copy into the canvas's own pixels a third of that; with a GPU `drawImage` costs next to nothing.
 */
export class Brush {
  #canvas;
  #context;
  #ways;
  #now;
  /** @type {ImageData | null} */
  #pixels = null;

  /** @param {HTMLCanvasElement} canvas @param {Ways} [ways] @param {() => number} [now] milliseconds of a steady clock */
  constructor(canvas, ways = new Ways(), now = () => performance.now()) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false });
    this.#ways = ways;
    this.#now = now;
  }

  /** @param {VideoFrame} frame @returns {Promise<number>} the milliseconds it took */
  async paint(frame) {
    const began = this.#now();
    const { displayWidth, displayHeight } = frame;
    if (this.#canvas.width !== displayWidth) this.#canvas.width = displayWidth;
    if (this.#canvas.height !== displayHeight) this.#canvas.height = displayHeight;
    const copies = this.#ways.next === "copy" && (await this.#copy(frame));
    if (!copies) this.#context?.drawImage(frame, 0, 0);
    const took = this.#now() - began;
    this.#ways.took(copies ? "copy" : "draw", took);
    return took;
  }

  /** @param {VideoFrame} frame @returns {Promise<boolean>} false: it must be drawn */
  async #copy(frame) {
    const { displayWidth: width, displayHeight: height, visibleRect } = frame;
    const options = /** @type {CopyOptions} */ ({ format: "RGBA" });
    try {
      // A frame in a GPU's memory has no such format, and a browser that cannot convert ignores the one that is asked for.
      if (frame.format !== "I420" || visibleRect?.width !== width || visibleRect.height !== height)
        throw new TypeError("not as it is shown");
      if (frame.allocationSize(options) !== PIXEL * width * height) throw new TypeError("no conversion");
      if (this.#pixels?.width !== width || this.#pixels.height !== height) this.#pixels = new ImageData(width, height);
      await frame.copyTo(this.#pixels.data, options);
      this.#context?.putImageData(this.#pixels, 0, 0);
      return true;
    } catch {
      this.#ways.drawOnly();
      return false;
    }
  }
}

/** @param {number[]} values */
function middle(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Infinity;
}
