import { Clip } from "./clip.js";
import { Retry } from "./retry.js";

/** @import { ClipOrder } from "./clip_order.js" */

const WAIT = Object.freeze({ firstMs: 500, mostMs: 20_000 });
/** Unsent bytes from which on a held key does not repeat. */
const CROWDED = 512;
/** What the guest took of an earlier connection. */
const HAD = /^\["had", ?(\d{1,10}), ?(-?\d{1,16})\]$/;
/** By which number this one is known to the guest; all up to this number was acted out. */
const IS = /^\["is", ?(\d{1,10})\]$/;
const TOOK = /^\["p", ?(\d{1,16})\]$/;
/** The server's words for a socket that is not to come back: signed out, no such session, over, the link is over, the name is another's. */
const FINAL = [4401, 4404, 4410, 4411, 4412];

/**
 * @typedef {object} ChannelEvents
 * @property {() => void} open
 * @property {() => void} gone it was open, or was to be
 * @property {(number: number) => void} is the guest takes what is typed by it, and knows it by this number
 * @property {(up: boolean) => void} heard something was answered; or nobody is there to answer any more
 * @property {(seq: number) => void} took all up to this number was acted out
 * @property {(epoch: number, had: number) => void} had what the guest took of an earlier connection
 */

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
  /** @type {ChannelEvents | null} */
  #on = null;

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

  /** @param {ChannelEvents} on */
  hear(on) {
    this.#on = on;
  }

  get ready() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  get clip() {
    return this.#clip;
  }

  /** Open it, unless it is open or was closed. */
  open() {
    if (this.#closed || this.#socket) return;
    const socket = this.#open();
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      this.#retry.anew(performance.now());
      this.#on?.open();
    });
    socket.addEventListener("message", ({ data }) => this.#received(data));
    socket.addEventListener("close", ({ code }) => this.#gone(code));
    this.#socket = socket;
  }

  /** What is said now may wait: the network stands still. */
  get crowded() {
    return (this.#socket?.bufferedAmount ?? 0) > CROWDED;
  }

  /** Say something of the keys'. @param {string} tag @param {...unknown} rest @returns {number} its number; 0: it is not open */
  say(tag, ...rest) {
    if (!this.ready) return 0;
    this.#socket?.send(JSON.stringify([tag, ++this.#seq, ...rest]));
    return this.#seq;
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  /** @param {unknown} data of the guest, who may say anything */
  #received(data) {
    const said = typeof data === "string" ? data : "";
    const [had, is, took] = [HAD, IS, TOOK].map((form) => form.exec(said)?.slice(1).map(Number));
    if (had) this.#on?.had(Number(had[0]), Number(had[1]));
    else if (is) this.#on?.is(Number(is[0]));
    else if (took) this.#answered(Number(took[0]));
    else this.#clip.received(data);
  }

  /** @param {number} seq */
  #answered(seq) {
    this.#on?.took(seq);
    this.#on?.heard(true);
  }

  /** @param {number} code */
  #gone(code) {
    this.#socket = null;
    this.#clip.close();
    this.#on?.gone();
    this.#on?.heard(false);
    if (this.#closed || FINAL.includes(code)) return;
    const now = performance.now();
    this.#timer = setTimeout(() => this.open(), this.#retry.fail(now) - now);
  }
}
