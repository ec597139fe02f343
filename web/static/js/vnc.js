import RFB from "/static/novnc/core/rfb.js";
import { LIMITS } from "./limits.js";
import { firstLit } from "./pixels.js";
import { VncKeys } from "./vnc_keys.js";

/** @import { ChannelSocket } from "./channel_socket.js" */
/** @import { Left } from "./sent.js" */
/** @import { Sample } from "./statistics.js" */
/** @import { Size } from "../../types/model" */

/** That the picture's socket brings something is told so often at most. */
const HEARD_MS = 250;

/** The noVNC rung: pictures, pointer and keys over one WebSocket, on a layer. */
export class Vnc {
  #layer;
  #rfb;
  #canvas;
  #resize;
  #keys;
  #channel;
  #bytes = 0;
  #heardAt = -Infinity;
  #frames = 0;
  #closed = false;

  /**
   * @param {HTMLElement} layer
   * @param {WebSocket} socket
   * @param {{ picture: () => void, closed: () => void, heard: (what: "answer" | "picture" | "nobody") => void, resize: (size: Size) => void, dropped: (count: number) => void }} on
   *   `picture`: something that counts was drawn; `resize` asks for another desktop size, which RFB is not allowed to;
   *   `heard` a ping was answered, or something of the picture came, or nobody is there to answer a ping; `dropped` so many key presses and texts are given up
   * @param {ChannelSocket} channel
   */
  constructor(layer, socket, on, channel) {
    this.#layer = layer;
    this.#channel = channel;
    this.#resize = on.resize;
    socket.addEventListener("message", ({ data }) => {
      this.#bytes += data.byteLength ?? data.size ?? 0;
      if (performance.now() - this.#heardAt < HEARD_MS) return;
      this.#heardAt = performance.now();
      on.heard("picture");
    });
    this.#rfb = new RFB(layer, socket, { shared: true });
    Object.assign(this.#rfb, { scaleViewport: true, resizeSession: false, background: "transparent", focusOnClick: false });
    this.#rfb.addEventListener("disconnect", () => this.#gone(on.closed));
    this.#canvas = /** @type {HTMLCanvasElement} */ (layer.querySelector("canvas"));
    const rfb = {
      key: (/** @type {number} */ keysym, /** @type {boolean | undefined} */ down) => this.#rfb.sendKey(keysym, null, down),
      ready: () => socket.readyState < WebSocket.CLOSING,
    };
    this.#keys = new VncKeys(layer, rfb, channel, {
      dropped: on.dropped,
      heard: (up) => on.heard(up ? "answer" : "nobody"),
    });
    this.#watch(() => {
      on.picture();
      channel.open();
    });
  }

  get layer() {
    return this.#layer;
  }

  get element() {
    return this.#canvas;
  }

  /** @returns {Size} */
  size() {
    return { width: this.#canvas.width, height: this.#canvas.height };
  }

  /** @param {Size} size */
  resize(size) {
    this.#resize(size);
  }

  /** @returns {Promise<Sample>} */
  async sample() {
    const unknown = { rttMs: null, jitterMs: null, lost: null, received: null };
    return { at: performance.now(), frames: this.#frames, bytes: this.#bytes, ...this.size(), ...unknown };
  }

  focus() {
    this.#keys.focus();
  }

  /** Let a phone's keyboard rise, or none. @param {boolean} on */
  screenKeyboard(on) {
    this.#keys.screenKeyboard(on);
  }

  /** @param {string} text */
  type(text) {
    this.#keys.type(text);
  }

  /** Ask for a sign of life. */
  ping() {
    this.#channel.say("p");
  }

  /** Keep what is typed, or send what was kept; a click that would come who knows when is none. @param {boolean} on */
  hold(on) {
    if (this.#rfb.viewOnly !== on) this.#rfb.viewOnly = on;
    this.#keys.hold(on);
  }

  /** Press the desktop's paste key. */
  paste() {
    this.#keys.paste();
  }

  get clip() {
    return this.#channel.clip;
  }

  /** What was typed and may not have arrived, for another rung. */
  left() {
    return this.#keys.left();
  }

  /** Go on where another rung ended. @param {Left} left */
  inherit(left) {
    this.#keys.inherit(left);
  }

  /** Nothing that was typed until now is to be said again. */
  forget() {
    this.#keys.forget();
  }

  close() {
    const gone = this.#closed;
    this.#closed = true;
    this.#keys.stop();
    this.#channel.close();
    // noVNC writes an error to the console when what is gone is parted with
    if (!gone) this.#rfb.disconnect();
  }

  /** The last picture stays on the screen: noVNC takes its canvas away, we put it back. @param {() => void} tell */
  #gone(tell) {
    if (this.#closed) return;
    this.#closed = true;
    this.#keys.broke();
    this.#channel.close();
    this.#layer.append(this.#canvas);
    tell();
  }

  /** noVNC tells of no frames, but each one ends in a drawImage on its canvas. @param {() => void} picture */
  #watch(picture) {
    const context = /** @type {any} */ (this.#canvas.getContext("2d"));
    const lit = firstLit();
    const draw = context.drawImage;
    let seen = false;
    const look = () => {
      if (seen || this.#closed || !lit(this.#canvas)) return;
      seen = true;
      picture();
    };
    context.drawImage = (/** @type {unknown[]} */ ...what) => {
      draw.apply(context, what);
      this.#frames += 1;
      // A black desktop that stands still is drawn once only.
      if (this.#frames === 1) setTimeout(look, LIMITS.blackMs + 1);
      look();
    };
  }
}
