import { Clip } from "./clip.js";
import { Retry } from "./retry.js";

/** @import { ClipOrder } from "./clip_order.js" */

const WAIT = Object.freeze({ firstMs: 1000, mostMs: 20_000 });
/** The server's words for a socket that is not to come back: signed out, no such session, over, the link is over. */
const FINAL = [4401, 4404, 4410, 4411];

/**
 * What data channels carry of keys and clipboards, for noVNC: in a WebSocket, which is opened again while this lives.
 */
export class ChannelSocket {
  #open;
  #clip;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #seq = 0;
  #retry = new Retry(WAIT, Math.random);
  #closed = false;

  /** @param {() => WebSocket} open @param {ClipOrder} order */
  constructor(open, order) {
    this.#open = open;
    const socket = () => this.#socket;
    this.#clip = new Clip({
      get readyState() {
        return socket()?.readyState === WebSocket.OPEN ? "open" : "closed";
      },
      get bufferedAmount() {
        return socket()?.bufferedAmount ?? 0;
      },
      send: (data) => socket()?.send(data),
    }, order);
  }

  get clip() {
    return this.#clip;
  }

  /** Open it, unless it is open or was closed. */
  open() {
    if (this.#closed || this.#socket) return;
    const socket = this.#open();
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#retry.anew(performance.now()));
    socket.addEventListener("message", ({ data }) => this.#clip.received(data));
    socket.addEventListener("close", ({ code }) => this.#gone(code));
    this.#socket = socket;
  }

  /** Say something of the keys'. @param {string} tag @param {...unknown} rest @returns {boolean} false: it is not open */
  say(tag, ...rest) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify([tag, ++this.#seq, ...rest]));
    return true;
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  /** @param {number} code */
  #gone(code) {
    this.#socket = null;
    this.#clip.close();
    if (this.#closed || FINAL.includes(code)) return;
    const now = performance.now();
    this.#timer = setTimeout(() => this.open(), this.#retry.fail(now) - now);
  }
}
