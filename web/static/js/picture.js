import { canPaint, drawByCanvas, drawByVideo } from "./drawers.js";
import { Road } from "./road.js";

/** @import { Drawer, OnFrame } from "./drawers.js" */

const REMEMBERED = "transom.road";

/** A stream on the screen, by the road that is faster in this browser. */
export class Picture {
  #layer;
  #stream;
  #frame;
  #road = new Road();
  /** @type {Drawer} */
  #drawer;
  /** @type {Drawer | null} another road, until it has drawn */
  #next = null;

  /**
   * @param {HTMLElement} layer takes the element
   * @param {MediaStream} stream
   * @param {{ frame: (lit: boolean, rtp?: number) => void, swapped: () => void }} on `swapped`: another element shows it now
   */
  constructor(layer, stream, on) {
    this.#layer = layer;
    this.#stream = stream;
    this.#frame = on.frame;
    const painted = canPaint() && remembered() !== "video";
    /** @type {OnFrame} */
    const each = (costMs, lit, rtp) => {
      this.#frame(lit, rtp);
      if (costMs !== null && this.#road.painted(costMs) === "video") this.#changeToVideo(on.swapped);
    };
    this.#drawer = painted ? drawByCanvas(stream, each) : drawByVideo(stream, each);
    layer.prepend(this.#drawer.element);
  }

  get element() {
    return this.#drawer.element;
  }

  size() {
    return this.#drawer.size();
  }

  stop() {
    this.#drawer.stop();
    this.#next?.stop();
  }

  /** The canvas stays until the video has drawn. @param {() => void} swapped */
  #changeToVideo(swapped) {
    localStorage.setItem(REMEMBERED, "video");
    const video = drawByVideo(this.#stream, (_cost, lit, rtp) => {
      this.#frame(lit, rtp);
      if (this.#drawer === video || !lit) return;
      this.#drawer.stop();
      this.#drawer.element.remove();
      this.#drawer = video;
      this.#next = null;
      swapped();
    });
    this.#next = video;
    this.#layer.append(video.element);
  }
}

/** @returns {string | null} */
function remembered() {
  try {
    return localStorage.getItem(REMEMBERED);
  } catch {
    return null;
  }
}
