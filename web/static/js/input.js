import { Gestures, HOLD_MS } from "./gestures.js";
import { Keys } from "./keys.js";
import { fit, toDesktop } from "./scale.js";
import { Steps, Wheel } from "./wheel.js";

/** @import { Peer } from "./peer.js" */
/** @import { Touch as Touching } from "./touch.js" */
/** @import { Gesture, Size, Touch } from "../../types/model" */

const CONTROL = 0xffe3;
/** DOM button number to the desktop's. */
const BUTTONS = new Map([[0, 1], [1, 2], [2, 3], [3, 8], [4, 9]]);
/** @type {Record<string, Touch["type"]>} */
const TOUCHES = { pointerdown: "down", pointermove: "move", pointerup: "up", pointercancel: "cancel" };

/** Pointer, wheel, fingers and keys of one layer, sent to one peer. */
export class Input {
  #layer;
  #peer;
  #desktop;
  #box;
  #keys;
  #wheel = new Wheel();
  #steps = new Steps();
  #gestures = new Gestures();
  /** @type {Touching | null} the desktop has a touch screen, and fingers are here */
  #touch = null;
  #drives = true;
  #stop = new AbortController();
  /** After the pointer was locked its place goes by the reliable channel once. */
  #lost = false;

  /**
   * @param {HTMLElement} layer
   * @param {Peer} peer
   * @param {{ desktop: () => Size, box: () => DOMRect }} picture the desktop's size, and where its box is
   */
  constructor(layer, peer, { desktop, box }) {
    this.#layer = layer;
    this.#peer = peer;
    this.#desktop = desktop;
    this.#box = box;
    this.#keys = new Keys(layer, peer);
    this.#listenPointer();
    this.#listenTouch();
  }

  focus() {
    this.#keys.focus();
  }

  /** Type a text as if it came from an input method. @param {string} text */
  type(text) {
    this.#keys.type(text);
  }

  /** Forget what waits for a paste. @returns {unknown[][]} what it was */
  drop() {
    return this.#keys.drop();
  }

  /** Press the desktop's paste key. */
  paste() {
    this.#keys.tap(0x76, true);
  }

  /** Let a phone's keyboard rise, or none. @param {boolean} on */
  screenKeyboard(on) {
    this.#keys.screenKeyboard(on);
  }

  get touch() {
    return this.#touch;
  }

  /** The desktop takes fingers as fingers. */
  async takeTouch() {
    if (this.#touch || !matchMedia("(any-pointer: coarse)").matches) return;
    const { Touch } = await import("./touch.js");
    if (this.#touch || this.#stop.signal.aborted) return;
    this.#touch = new Touch((tag, ...rest) => this.#keys.control(tag, ...rest), (at) => this.#peer.fingers(at));
    if (!this.#drives) this.#touch.drive(false);
  }

  /** Whether what is done here is taken. @param {boolean} drives */
  drive(drives) {
    this.#drives = drives;
    this.#touch?.drive(drives);
  }

  /** Give the desktop the pointer's moves alone, until Escape. Only a click may ask for it. */
  async lock() {
    // some browsers know no raw moves, and say so by failing
    await Promise.resolve(this.#layer.requestPointerLock({ unadjustedMovement: true })).catch(() =>
      this.#layer.requestPointerLock(),
    );
    this.focus();
  }

  stop() {
    this.#stop.abort();
    this.#touch?.stop();
    if (this.#locked) document.exitPointerLock();
    this.#keys.stop();
  }

  get #locked() {
    return document.pointerLockElement === this.#layer;
  }

  /** @param {string} type @param {(event: any) => void} listener @param {AddEventListenerOptions & { on?: EventTarget }} [options] */
  #on(type, listener, { on = this.#layer, ...options } = {}) {
    on.addEventListener(type, listener, { ...options, signal: this.#stop.signal });
  }

  #listenPointer() {
    const moved = "onpointerrawupdate" in window ? "pointerrawupdate" : "pointermove";
    const mouse = (/** @type {(event: PointerEvent) => unknown} */ act) => (/** @type {PointerEvent} */ event) =>
      event.pointerType === "touch" || act(event);
    this.#on(moved, mouse((event) => this.#locked || this.#moved(event)));
    this.#on("pointerdown", mouse((event) => this.#pressed(event)));
    this.#on("pointerup", mouse((event) => this.#button(event, 0)));
    this.#on("pointercancel", mouse(() => this.#keys.release()));
    // Further buttons of a mouse, while one is down, arrive as moves.
    this.#on("pointermove", mouse((event) => {
      if (event.button >= 0) this.#button(event, event.buttons & bit(event.button));
      if (this.#locked) this.#nudged(event);
    }));
    this.#on("contextmenu", (event) => event.preventDefault());
    this.#on("wheel", (event) => this.#rolled(event), { passive: false });
    this.#on("focusin", (event) => event.target !== this.#keys.field && this.focus());
    this.#on("pointerlockchange", () => this.#lockChanged(), { on: document });
  }

  #listenTouch() {
    for (const [name, type] of Object.entries(TOUCHES)) {
      this.#on(name, (event) => event.pointerType === "touch" && this.#touched(event, type));
    }
  }

  #lockChanged() {
    if (this.#locked) this.#keys.control("d", 0, 0);
    else this.#lost = true;
  }

  /** @param {{ clientX: number, clientY: number }} event */
  #place({ clientX, clientY }) {
    const box = this.#box();
    return toDesktop({ x: clientX - box.left, y: clientY - box.top }, box, this.#desktop());
  }

  /** Pixels of the screen in one of the desktop's. */
  #scale() {
    return fit(this.#box(), this.#desktop()).scale || 1;
  }

  /** @param {PointerEvent} event */
  #moved(event) {
    const place = this.#place(event);
    if (!place) return;
    if (this.#lost) this.#keys.control("m", place.x, place.y);
    else this.#peer.move(place.x, place.y);
    this.#lost = false;
  }

  /** @param {PointerEvent} event */
  #nudged({ movementX, movementY }) {
    const { dx, dy } = this.#steps.add(movementX / this.#scale(), movementY / this.#scale());
    if (dx || dy) this.#keys.control("d", dx, dy);
  }

  /** @param {PointerEvent} event */
  #pressed(event) {
    event.preventDefault();
    this.focus();
    this.#touch?.mouse();
    this.#capture(event.pointerId);
    if (this.#lost) this.#moved(event);
    this.#button(event, 1);
  }

  /** @param {number} pointer */
  #capture(pointer) {
    try {
      this.#layer.setPointerCapture(pointer);
    } catch {
      // The pointer may be gone already, or locked; then there is nothing to capture.
    }
  }

  /** @param {PointerEvent} event @param {number} down */
  #button(event, down) {
    const place = this.#place(event);
    const button = BUTTONS.get(event.button);
    if (place && button) this.#keys.control("b", place.x, place.y, button, down ? 1 : 0);
  }

  /** @param {WheelEvent} event */
  #rolled(event) {
    event.preventDefault();
    // a touchpad's pinch comes as a wheel with Control that nobody holds
    const pinch = event.ctrlKey && !this.#keys.holds(CONTROL);
    const turned = this.#wheel.add(event, this.#box().height, this.#scale());
    if (turned) this.#turn(this.#place(event), turned, pinch);
  }

  /** @param {{ x: number, y: number } | null} place @param {{ dx: number, dy: number }} turned @param {boolean} zoom */
  #turn(place, turned, zoom) {
    if (!place) return;
    if (zoom) this.#keys.control("k", CONTROL, 1);
    this.#keys.control("w", place.x, place.y, turned.dx, turned.dy);
    if (zoom) this.#keys.control("k", CONTROL, 0);
  }

  /** @param {PointerEvent} event @param {Touch["type"]} type */
  #touched(event, type) {
    event.preventDefault();
    if (type === "down") {
      this.focus();
      this.#capture(event.pointerId);
    }
    if (this.#touch?.handle(type, event.pointerId, this.#place(event))) return;
    if (type === "down") {
      setTimeout(() => this.#gestures.tick(performance.now()) && navigator.vibrate?.(15), HOLD_MS + 1);
    }
    const touch = { type, id: event.pointerId, x: event.clientX, y: event.clientY, at: performance.now() };
    for (const gesture of this.#gestures.handle(touch)) this.#do(gesture);
  }

  /** @param {Gesture} gesture */
  #do(gesture) {
    const place = this.#place({ clientX: gesture.x, clientY: gesture.y });
    if (!place) return;
    switch (gesture.do) {
      case "move":
        return this.#peer.move(place.x, place.y);
      case "press":
      case "release":
        return this.#keys.control("b", place.x, place.y, gesture.button, gesture.do === "press" ? 1 : 0);
      case "zoom":
        return this.#turn(place, { dx: 0, dy: clamp(-gesture.steps) }, true);
      case "scroll": {
        const turned = this.#wheel.scroll(gesture.dx / this.#scale(), gesture.dy / this.#scale());
        if (turned) this.#turn(place, turned, false);
      }
    }
  }
}

/** The bit of `buttons` that belongs to a `button`. @param {number} button */
function bit(button) {
  return [1, 4, 2, 8, 16][button] ?? 0;
}

/** @param {number} steps */
function clamp(steps) {
  return Math.min(Math.max(steps, -10), 10);
}
