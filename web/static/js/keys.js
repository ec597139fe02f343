import Keyboard from "/static/novnc/core/input/keyboard.js";
import { itemOf } from "./clip_item.js";
import { Held } from "./held.js";
import { Holding } from "./holding.js";
import { isComposing, isKeysym, isPaste, latin, pieces, textOfKey } from "./keysyms.js";
import { Repeats } from "./repeats.js";

/** @import { Clip } from "./clip.js" */

const HEARTBEAT_MS = 1000;
/** A paste key waits this long for the browser's own `paste`, then for the desktop to have what is pasted. */
const PASTE_MS = 150;
const TRANSFER_MS = 3000;
const BACKSPACE = 0xff08;
const RETURN = 0xff0d;
/** A screen keyboard's backspace tells of itself only where there is something to take away. */
const SENTINEL = "\u200b\u200b";

/**
 * @typedef {object} Line where keys go
 * @property {(tag: string, ...rest: unknown[]) => unknown} control
 * @property {(keysym: number) => void} again a key that is down repeats, on the desktop as here
 * @property {Clip | null} clip
 */

/** Keys, committed text and the paste key of one layer. */
export class Keys {
  #layer;
  #text = document.createElement("textarea");
  #held = new Held();
  #repeats;
  #out;
  #clip;
  #keyboard;
  #stop = new AbortController();
  #beat;
  /** The modifiers of the last key event. */
  #shortcut = false;
  /** @type {Set<string>} codes of paste keys that are down */
  #pasting = new Set();
  #screen = false;

  /** @param {HTMLElement} layer @param {Line} line */
  constructor(layer, line) {
    this.#layer = layer;
    this.#clip = line.clip;
    // what repeats behind a paste would be too much by then
    this.#repeats = new Repeats((keysym) => this.#out.holds || line.again(keysym));
    this.#out = new Holding((tag, ...rest) => line.control(tag, ...rest));
    this.#makeText();
    this.#listenText();
    this.#listenLeaving();
    this.#keyboard = new Keyboard(layer);
    this.#listenKeyboard();
    this.#beat = setInterval(() => this.#heartbeat(), HEARTBEAT_MS);
  }

  /** Where input methods write. */
  get field() {
    return this.#text;
  }

  focus() {
    this.#text.focus({ preventScroll: true });
  }

  /** Say something in its turn: after what still waits for a paste. @param {string} tag @param {...unknown} rest */
  control(tag, ...rest) {
    if (tag === "b") this.#held.button(Number(rest[2]), Boolean(rest[3]));
    this.#out.say(tag, ...rest);
  }

  /** Type a text as if it came from an input method. @param {string} text */
  type(text) {
    for (const piece of pieces(text)) this.#out.say("t", piece);
  }

  /** Press and release a key, with Control or without. @param {number} keysym @param {boolean} [control] */
  tap(keysym, control = false) {
    const keys = control ? [0xffe3, keysym] : [keysym];
    for (const key of keys) this.#out.say("k", key, 1);
    for (const key of keys.reverse()) this.#out.say("k", key, 0);
  }

  /** Whether the user holds this key. @param {number} keysym */
  holds(keysym) {
    return this.#held.keysyms().includes(keysym);
  }

  /** Forget what waits for a paste. @returns {unknown[][]} what it was */
  drop() {
    return this.#out.drop();
  }

  /** Let go of everything that is held. */
  release() {
    this.#held.clear();
    this.#repeats.stop();
    this.#pasting.clear();
    this.#listenKeyboard();
    this.#out.go();
    this.#out.say("r");
  }

  /** Let a screen keyboard rise where the keys go here, or none. @param {boolean} on */
  screenKeyboard(on) {
    const focused = document.activeElement === this.#text;
    this.#screen = on;
    // a browser looks at it as the field gets the focus
    if (focused) this.#text.blur();
    this.#text.inputMode = on ? "text" : "none";
    this.#empty();
    if (focused) this.focus();
  }

  stop() {
    this.#stop.abort();
    this.#repeats.stop();
    clearInterval(this.#beat);
    this.#keyboard.ungrab();
    this.#text.remove();
  }

  /** Input methods and screen keyboards need a field to write into. */
  #makeText() {
    const text = this.#text;
    Object.assign(text, { className: "keys", tabIndex: 0, spellcheck: false, autocapitalize: "off" });
    // a tap on the desktop must not raise a phone's keyboard: its button does
    if (matchMedia("(pointer: coarse)").matches) text.inputMode = "none";
    text.setAttribute("autocomplete", "off");
    text.setAttribute("autocorrect", "off");
    text.setAttribute("aria-label", "Remote desktop: keys go to it. Ctrl+Alt+Shift returns to the page.");
    this.#layer.append(text);
  }

  /** @param {string} type @param {(event: any) => void} listener @param {AddEventListenerOptions & { on?: EventTarget }} [options] */
  #on(type, listener, { on = this.#layer, ...options } = {}) {
    on.addEventListener(type, listener, { ...options, signal: this.#stop.signal });
  }

  /** From no key down on: a release that goes elsewhere would leave its key the sign that it had, as if it were down still. */
  #listenKeyboard() {
    this.#keyboard.onkeyevent = () => {};
    this.#keyboard.ungrab();
    if (this.#stop.signal.aborted) return;
    this.#keyboard.onkeyevent = (keysym, code, down) => this.#key(keysym, code, down);
    this.#keyboard.grab();
  }

  #listenText() {
    for (const type of ["keydown", "keyup"]) {
      this.#on(type, (event) => this.#filterKey(event), { capture: true });
    }
    // where a browser puts the text in first and ends the composition then, it is there to be taken once only
    this.#on("compositionend", ({ data }) => this.#written() && this.#commit(data));
    this.#on("input", ({ isComposing: unfinished }) => unfinished || this.#commit(this.#written()));
    this.#on("beforeinput", (event) => this.#edited(event));
    this.#on("paste", (event) => void this.#pasted(event));
  }

  #listenLeaving() {
    this.#on("blur", () => this.release(), { on: window });
    this.#on("pagehide", () => this.release(), { on: window });
    this.#on("visibilitychange", () => document.hidden && this.release(), { on: document });
    this.#on("focusout", ({ relatedTarget }) => this.#layer.contains(relatedTarget) || this.release());
  }

  /** Keep from the keyboard what an input method works on, and what the browser is to paste. @param {KeyboardEvent} event */
  #filterKey(event) {
    this.#shortcut = (event.ctrlKey || event.altKey || event.metaKey) && !event.getModifierState("AltGraph");
    if (this.#pasteKey(event)) return event.stopImmediatePropagation();
    const text = textOfKey(event.key);
    if (!isComposing(event) && text === null) return;
    // it went down before the input method began
    if (event.type === "keyup" && this.#held.keysym(event.code) !== null) return;
    event.stopImmediatePropagation();
    if (text === null) return;
    event.preventDefault();
    if (event.type === "keydown") this.type(text);
  }

  /** The key waits until the desktop has what it pastes; so does all that follows. @param {KeyboardEvent} event */
  #pasteKey(event) {
    const keysym = event.code === "Insert" ? 0xff63 : 0x76;
    if (event.type === "keyup") {
      if (!this.#pasting.delete(event.code)) return false;
      this.#out.say("k", keysym, 0);
      return true;
    }
    if (!this.#clip?.may.up || !isPaste(event)) return false;
    if (this.#pasting.has(event.code)) event.preventDefault();
    else this.#out.hold(PASTE_MS);
    this.#pasting.add(event.code);
    this.#out.say("k", keysym, 1);
    return true;
  }

  /** @param {ClipboardEvent} event */
  async #pasted(event) {
    event.preventDefault();
    const held = this.#out.holds;
    if (held) this.#out.hold(TRANSFER_MS);
    const item = await itemOf(event.clipboardData);
    if (!held) {
      if (item?.type === "text/plain") this.#commit(new TextDecoder().decode(item.data));
      return;
    }
    // what the desktop has copied since is what is meant
    if (item && this.#clip?.order.means(item)) {
      const why = await this.#clip.push(item);
      if (why !== "got") this.#clip.unpasted(item, why);
    }
    this.#out.go();
  }

  /** What a screen keyboard does without keys. @param {InputEvent} event */
  #edited(event) {
    if (event.isComposing) return;
    const keysym = { deleteContentBackward: BACKSPACE, insertLineBreak: RETURN, insertParagraph: RETURN }[event.inputType];
    if (!keysym) return;
    event.preventDefault();
    this.tap(keysym);
  }

  #written() {
    return this.#text.value.replaceAll("\u200b", "");
  }

  /** @param {string | null} text */
  #commit(text) {
    this.#empty();
    if (text) this.type(text.replaceAll("\u200b", ""));
  }

  #empty() {
    this.#text.value = this.#screen ? SENTINEL : "";
  }

  /** @param {number | null} keysym @param {string} code @param {boolean} down */
  #key(keysym, code, down) {
    if (down) {
      const held = this.#held.keysym(code);
      if (held !== null) return this.#repeats.said(held);
      if (!isKeysym(keysym)) return;
      const pressed = this.#held.down(code, this.#shortcut ? latin(keysym, code) : keysym);
      this.#out.say("k", pressed, 1);
      this.#repeats.down(pressed);
      return;
    }
    const released = this.#held.up(code);
    if (released === null) return;
    this.#repeats.up(released);
    this.#out.say("k", released, 0);
  }

  #heartbeat() {
    if (this.#held.any) this.#out.say("h", this.#held.keysyms());
  }
}
