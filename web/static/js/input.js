import Keyboard from "/static/novnc/core/input/keyboard.js";
import { Held } from "./held.js";
import { isComposing, isKeysym, pieces, textOfKey } from "./keysyms.js";
import { toDesktop } from "./scale.js";
import { Wheel } from "./wheel.js";

/** @import { Peer } from "./peer.js" */
/** @import { Size } from "../../types/model" */

const HEARTBEAT_MS = 1000;

/** DOM button number to the desktop's. */
const BUTTONS = new Map([[0, 1], [1, 2], [2, 3], [3, 8], [4, 9]]);

/** Pointer, wheel, keys and committed text of one layer, sent to one peer. */
export class Input {
  #layer;
  #peer;
  #desktop;
  #box;
  #text = document.createElement("textarea");
  #held = new Held();
  #wheel = new Wheel();
  #keyboard;
  #stop = new AbortController();
  #beat;

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
    this.#makeText();
    this.#listenPointer();
    this.#listenText();
    this.#listenLeaving();
    this.#keyboard = new Keyboard(layer);
    this.#keyboard.onkeyevent = (keysym, code, down) => this.#key(keysym, code, down);
    this.#keyboard.grab();
    this.#beat = setInterval(() => this.#heartbeat(), HEARTBEAT_MS);
  }

  focus() {
    this.#text.focus({ preventScroll: true });
  }

  /** Type a text as if it came from an input method. @param {string} text */
  type(text) {
    for (const piece of pieces(text)) this.#peer.control("t", piece);
  }

  /** Let go of everything that is held. */
  release() {
    this.#held.clear();
    this.#peer.control("r");
  }

  stop() {
    this.#stop.abort();
    clearInterval(this.#beat);
    this.#keyboard.ungrab();
    this.#text.remove();
  }

  /** Input methods and screen keyboards need a field to write into. */
  #makeText() {
    const text = this.#text;
    Object.assign(text, { className: "keys", tabIndex: 0, spellcheck: false, autocapitalize: "off" });
    text.setAttribute("autocomplete", "off");
    text.setAttribute("autocorrect", "off");
    text.setAttribute("aria-label", "Remote desktop: keys go to it. Ctrl+Alt+Shift returns to the page.");
    this.#layer.append(text);
  }

  /** @param {string} type @param {(event: any) => void} listener @param {AddEventListenerOptions & { on?: EventTarget }} [options] */
  #on(type, listener, { on = this.#layer, ...options } = {}) {
    on.addEventListener(type, listener, { ...options, signal: this.#stop.signal });
  }

  #listenPointer() {
    const moved = "onpointerrawupdate" in window ? "pointerrawupdate" : "pointermove";
    this.#on(moved, (event) => this.#moved(event));
    this.#on("pointerdown", (event) => this.#pressed(event));
    this.#on("pointerup", (event) => this.#button(event, 0));
    this.#on("pointercancel", () => this.release());
    // Further buttons of a mouse, while one is down, arrive as moves.
    this.#on("pointermove", (event) => event.button >= 0 && this.#button(event, event.buttons & bit(event.button)));
    this.#on("contextmenu", (event) => event.preventDefault());
    this.#on("wheel", (event) => this.#rolled(event), { passive: false });
    this.#on("focusin", (event) => event.target !== this.#text && this.focus());
  }

  #listenText() {
    for (const type of ["keydown", "keyup"]) {
      this.#on(type, (event) => this.#filterKey(event), { capture: true });
    }
    this.#on("compositionend", ({ data }) => this.#commit(data));
    this.#on("input", ({ isComposing: unfinished }) => {
      if (!unfinished) this.#commit(this.#text.value);
    });
    this.#on("paste", (event) => {
      event.preventDefault();
      this.#commit(event.clipboardData?.getData("text/plain") ?? "");
    });
  }

  #listenLeaving() {
    this.#on("blur", () => this.release(), { on: window });
    this.#on("pagehide", () => this.release(), { on: window });
    this.#on("visibilitychange", () => document.hidden && this.release(), { on: document });
    this.#on("focusout", ({ relatedTarget }) => this.#layer.contains(relatedTarget) || this.release());
  }

  /** Keep from the keyboard what an input method works on. @param {KeyboardEvent} event */
  #filterKey(event) {
    const text = textOfKey(event.key);
    if (!isComposing(event) && text === null) return;
    event.stopImmediatePropagation();
    if (text === null) return;
    event.preventDefault();
    if (event.type === "keydown") this.type(text);
  }

  /** @param {string | null} text */
  #commit(text) {
    this.#text.value = "";
    if (text) this.type(text);
  }

  /** @param {number | null} keysym @param {string} code @param {boolean} down */
  #key(keysym, code, down) {
    if (down) {
      if (isKeysym(keysym)) this.#peer.control("k", this.#held.down(code, keysym), 1);
      return;
    }
    const released = this.#held.up(code);
    if (released !== null) this.#peer.control("k", released, 0);
  }

  #heartbeat() {
    const keysyms = this.#held.keysyms();
    if (keysyms.length) this.#peer.control("h", keysyms);
  }

  /** @param {PointerEvent} event */
  #place(event) {
    const box = this.#box();
    return toDesktop({ x: event.clientX - box.left, y: event.clientY - box.top }, box, this.#desktop());
  }

  /** @param {PointerEvent} event */
  #moved(event) {
    const place = this.#place(event);
    if (place) this.#peer.move(place.x, place.y);
  }

  /** @param {PointerEvent} event */
  #pressed(event) {
    event.preventDefault();
    this.focus();
    try {
      this.#layer.setPointerCapture(event.pointerId);
    } catch {
      // The pointer may be gone already; then there is nothing to capture.
    }
    this.#button(event, 1);
  }

  /** @param {PointerEvent} event @param {number} down */
  #button(event, down) {
    const place = this.#place(event);
    const button = BUTTONS.get(event.button);
    if (place && button) this.#peer.control("b", place.x, place.y, button, down ? 1 : 0);
  }

  /** @param {WheelEvent} event */
  #rolled(event) {
    event.preventDefault();
    const place = this.#place(/** @type {any} */ (event));
    const turned = this.#wheel.add(event, this.#box().height);
    if (place && turned) this.#peer.control("w", place.x, place.y, turned.dx, turned.dy);
  }
}

/** The bit of `buttons` that belongs to a `button`. @param {number} button */
function bit(button) {
  return [1, 4, 2, 8, 16][button] ?? 0;
}
