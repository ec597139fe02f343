import { ClipOrder } from "./clip_order.js";

/** @import { ClipItem, ClipTerms } from "../../types/model" */

/** Bytes of one binary message; the guest takes no longer ones. */
export const CHUNK = 16 * 1024;
/** What may wait unsent before the next chunk does: keys go by the same association. Bytes. */
const QUEUE = 128 * 1024;
/** The largest item that is taken of a guest, whatever it says. Bytes. */
const MOST = 16 * 2 ** 20;
/** A transfer that takes longer is given up. */
const PATIENCE_MS = 30_000;
const WORDS = 256;
const TYPES = ["text/plain", "image/png"];
const NOTHING = Object.freeze({ up: false, down: false, bytes: 0 });

/**
 * @typedef {object} Wire what is needed of an RTCDataChannel
 * @property {string} readyState
 * @property {number} bufferedAmount
 * @property {(data: any) => void} send
 */

/**
 * @typedef {object} ClipListener
 * @property {(item: ClipItem, copies: number) => void} item the desktop copied
 * @property {(may: ClipTerms) => void} may what goes which way
 * @property {(item: ClipItem, why: string) => void} [unpasted] what was to be pasted is not the desktop's
 */

/**
 * One end of the channel `clipboard` (docs/reference/channels.md): sends items and puts together what comes.
 * The guest may be hostile: nothing larger than announced, and than MOST, is kept.
 */
export class Clip {
  #wire;
  /** @type {ClipListener | null} */
  #on = null;
  /** @type {ClipTerms} */
  #may = NOTHING;
  #id = 0;
  /** @type {((why: string) => void) | null} ends the transfer that is under way */
  #settle = null;
  /** @type {{ id: number, type: string, data: Uint8Array, at: number, copies: number } | null} */
  #coming = null;
  #order;
  /** @type {{ item: ClipItem, copies: number } | null} came while nobody listened */
  #early = null;

  /** @param {Wire} wire @param {ClipOrder} [order] which clipboard is the newer one: one for the page's life */
  constructor(wire, order = new ClipOrder()) {
    this.#wire = wire;
    this.#order = order;
  }

  get order() {
    return this.#order;
  }

  /** Hear what comes from now on; what goes which way is told at once. @param {ClipListener} on */
  attend(on) {
    this.#on = on;
    on.may(this.#may);
    const early = this.#early;
    this.#early = null;
    if (early) this.#tell(early.item, early.copies);
  }

  /** What goes which way. */
  get may() {
    return this.#may;
  }

  /**
   * Make an item the desktop's clipboard.
   * @param {ClipItem} item
   * @returns {Promise<string>} "got", or in one word why not
   */
  async push(item) {
    const { type, data } = item;
    if (!this.#may.up || this.#wire.readyState !== "open") return "policy";
    if (data.length > this.#may.bytes) return "size";
    if (!data.length || !TYPES.includes(type)) return "empty";
    this.#settle?.("replaced");
    const id = ++this.#id;
    const answered = new Promise((/** @type {(why: string) => void} */ resolve) => (this.#settle = resolve));
    const timer = setTimeout(() => this.#settled(id, "slow"), PATIENCE_MS);
    const { copies } = this.#order;
    this.#say("put", id, type, data.length, copies);
    void this.#pour(id, data);
    const why = await answered;
    clearTimeout(timer);
    if (why === "got") this.#order.agree(item, copies);
    return why;
  }

  /** An item that a key was to paste was pushed, and not taken. @param {ClipItem} item @param {string} why as `push` says */
  unpasted(item, why) {
    this.#on?.unpasted?.(item, why);
  }

  /** @param {unknown} data a message of the guest, who may say anything */
  received(data) {
    if (typeof data === "string") this.#told(data);
    else if (data instanceof ArrayBuffer) this.#chunk(new Uint8Array(data));
  }

  /** The channel is gone. */
  close() {
    this.#settle?.("closed");
    this.#coming = null;
    this.#may = NOTHING;
    this.#on?.may(this.#may);
  }

  /** @param {number} id @param {Uint8Array} data */
  async #pour(id, data) {
    for (let at = 0; at < data.length; at += CHUNK) {
      while (this.#wire.bufferedAmount > QUEUE) await new Promise((later) => setTimeout(later, 5));
      if (id !== this.#id || !this.#settle || this.#wire.readyState !== "open") return;
      this.#wire.send(data.slice(at, at + CHUNK));
    }
  }

  /** @param {string} text */
  #told(text) {
    const [tag, ...rest] = parsed(text);
    const [id, type, size, copies] = rest;
    if (tag === "may") this.#allowed(rest);
    else if (tag === "copied") this.#order.copied(id);
    else if (tag === "put") this.#announced(id, type, size, copies);
    else if (tag === "got") this.#settled(id, "got");
    else if (tag === "no") this.#settled(id, String(type));
  }

  /** @param {unknown[]} fields */
  #allowed([up, down, bytes, copies]) {
    this.#order.met(copies);
    this.#may = { up: up === 1, down: down === 1, bytes: typeof bytes === "number" ? bytes : 0 };
    this.#on?.may(this.#may);
  }

  /** @param {unknown} id @param {string} why */
  #settled(id, why) {
    if (id !== this.#id) return;
    this.#settle?.(why);
    this.#settle = null;
  }

  /** @param {unknown} id @param {unknown} type @param {unknown} size @param {unknown} copies */
  #announced(id, type, size, copies) {
    this.#coming = null;
    if (typeof id !== "number" || typeof type !== "string" || typeof size !== "number") return;
    if (!this.#may.down || !TYPES.includes(type)) return this.#say("no", id, "policy");
    if (!Number.isInteger(size) || size < 1 || size > Math.min(this.#may.bytes, MOST)) return this.#say("no", id, "size");
    const number = typeof copies === "number" ? copies : 0;
    this.#coming = { id, type, data: new Uint8Array(size), at: 0, copies: number };
  }

  /** @param {Uint8Array} chunk */
  #chunk(chunk) {
    const coming = this.#coming;
    if (!coming) return;
    if (!chunk.length || coming.at + chunk.length > coming.data.length) {
      this.#coming = null;
      return this.#say("no", coming.id, "broken");
    }
    coming.data.set(chunk, coming.at);
    coming.at += chunk.length;
    if (coming.at < coming.data.length) return;
    this.#coming = null;
    this.#say("got", coming.id);
    this.#tell({ type: coming.type, data: coming.data }, coming.copies);
  }

  /** By whichever ways the same copy comes, it is told once. @param {ClipItem} item @param {number} copies */
  #tell(item, copies) {
    if (!this.#on) this.#early = { item, copies };
    else if (this.#order.first(copies)) this.#on.item(item, copies);
  }

  /** @param {...unknown} fields */
  #say(...fields) {
    if (this.#wire.readyState === "open") this.#wire.send(JSON.stringify(fields));
  }
}

/** @param {string} text @returns {unknown[]} */
function parsed(text) {
  if (text.length > WORDS) return [];
  try {
    const fields = JSON.parse(text);
    return Array.isArray(fields) ? fields : [];
  } catch {
    return [];
  }
}
