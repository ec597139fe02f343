import { Fingers } from "./fingers.js";

/** @import { Point, Touch as Happened } from "../../types/model" */

/** The guest lets go of what a viewer holds who is silent for three seconds. */
const HEARTBEAT_MS = 1000;
const CHOICE = "transom.fingers";

/** Whether fingers are to move the desktop's pointer instead. */
export function prefersPointer() {
  try {
    return localStorage.getItem(CHOICE) === "pointer";
  } catch {
    return false;
  }
}

/** @param {boolean} pointer */
export function preferPointer(pointer) {
  try {
    localStorage.setItem(CHOICE, pointer ? "pointer" : "touch");
  } catch {
    // Where nothing may be kept it holds for this page.
  }
}

/** Fingers as fingers: the desktop has a touch screen, and this viewer drives. */
export class Touch {
  #say;
  #move;
  #fingers = new Fingers();
  #on = false;
  #pointer = prefersPointer();
  #drives = true;
  #stop = new AbortController();
  #beat;

  /**
   * @param {(tag: string, ...rest: unknown[]) => unknown} say by the channel that loses nothing
   * @param {(at: number[][]) => void} move by the one that never waits
   */
  constructor(say, move) {
    this.#say = say;
    this.#move = move;
    const { signal } = this.#stop;
    for (const type of ["blur", "pagehide"]) window.addEventListener(type, () => this.#forget(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden && this.#forget(), { signal });
    this.#beat = setInterval(() => this.#fingers.any && this.#say("f", this.#fingers.list()), HEARTBEAT_MS);
    // a phone's fingers touch from the first one on; a computer's screen has a mouse until it is touched
    if (matchMedia("(pointer: coarse)").matches) this.#want(true);
  }

  get pointer() {
    return this.#pointer;
  }

  /** Fingers are to touch, or to move the pointer. @param {boolean} pointer */
  prefer(pointer) {
    this.#pointer = pointer;
    this.#want(!pointer);
  }

  /** Whether this viewer may still. What it asked for is forgotten with the desktop. @param {boolean} drives */
  drive(drives) {
    const on = this.#on || matchMedia("(pointer: coarse)").matches;
    this.#drives = drives;
    this.#on = false;
    this.#forget();
    if (drives) this.#want(on);
  }

  /** A mouse is used: its user wants no page for fingers. */
  mouse() {
    if (this.#on && !this.#fingers.any) this.#want(false);
  }

  /**
   * @param {Happened["type"]} type @param {number} id @param {Point | null} place
   * @returns {boolean} whether the finger touched: else it is the pointer's
   */
  handle(type, id, place) {
    if (type === "down") {
      const on = this.#on;
      // this first one finds no touch screen yet
      this.#want(!this.#pointer);
      if (!on || !place) return false;
    } else if (!this.#fingers.has(id)) return false;
    if (type === "move") {
      if (place && this.#fingers.handle("move", id, place)) this.#move(this.#fingers.list());
    } else if (this.#fingers.handle(type, id, place ?? { x: 0, y: 0 })) this.#say("f", this.#fingers.list());
    return true;
  }

  stop() {
    this.#stop.abort();
    clearInterval(this.#beat);
  }

  /** @param {boolean} on */
  #want(on) {
    const wanted = on && !this.#pointer && this.#drives;
    if (wanted === this.#on) return;
    this.#on = wanted;
    this.#forget();
    this.#say("y", wanted ? 1 : 0);
  }

  /** The guest lets go by itself: of who leaves, and of who says `r`. */
  #forget() {
    this.#fingers.clear();
  }
}
