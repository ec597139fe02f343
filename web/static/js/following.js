import { densityOf, wantedSize } from "./scale.js";

/** @import { Size } from "../../types/model" */

const SETTLED_MS = 250;

/** The desktop follows the room there is for it and the density of this screen, once both stand still. */
export class Following {
  #on;
  /** @type {number | null} what the desktop was told, in per cent; another viewer may have told it something else before */
  #density = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {{ room: () => Size, size: () => Size | null, resize: (size: Size) => void, dense: (percent: number) => boolean }} on
   *   `size` is the desktop's, null while it is not to be changed; `dense` is false where the rung cannot tell
   */
  constructor(on) {
    this.#on = on;
  }

  soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#follow(), SETTLED_MS);
  }

  #follow() {
    const room = this.#on.room();
    const now = this.#on.size();
    if (!now || document.hidden) return;
    const density = densityOf(room, devicePixelRatio);
    if (density !== this.#density && this.#on.dense(density)) this.#density = density;
    const size = wantedSize(room, this.#density ?? 100);
    if (size && (size.width !== now.width || size.height !== now.height)) this.#on.resize(size);
  }
}
