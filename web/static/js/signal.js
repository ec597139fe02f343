import { backoff } from "./backoff.js";
import { ownersPlaces } from "./places.js";

/** @import { Heartbeat, Places, SeatDeed, SignalEvent } from "../../types/model" */

/** Every wait of the signal, in milliseconds. */
export const WAITS = Object.freeze({
  /** A WebSocket that does not open in this time is given up. */
  openMs: 5000,
  /** An offer waits this long for a WebSocket that is just opening, then goes by HTTP. */
  offerMs: 800,
  /** Both sides speak every 10 s; a socket silent for this long is dead. */
  silentMs: 30_000,
  /** The server holds a question for an answer this long. */
  answerMs: 10_000,
  /** How often the session is asked for while there is no WebSocket. */
  pollMs: 1000,
  again: Object.freeze({ firstMs: 300, mostMs: 5000 }),
});

/** An unknown session is believed only when the server says so this often in a row. */
const MISSING_TIMES = 2;

/** Why every peer of the machine is dead: its stream server is. */
export const SERVER_DIED = "stream_server_died";

const OPEN = 1;
/** The code of a socket whose link is over; its reason says why. */
const LINK_OVER = 4411;

/**
 * @typedef {(method: string, path: string, options?: { body?: object, deadlineMs?: number, signal?: AbortSignal })
 *   => Promise<{ status: number, body: any }>} Request
 * @typedef {Pick<WebSocket, "readyState" | "send" | "close"> & {
 *   onopen: any, onmessage: any, onclose: any }} Socket
 */

/**
 * The way to the controller: a WebSocket that comes back by itself, and HTTP wherever it cannot. It knows
 * sessions, offers and answers, and nothing of pictures.
 */
export class Signal {
  #id;
  #places;
  #peer;
  #request;
  #open;
  #tell;
  #random;
  /** @type {Socket | null} */
  #socket = null;
  /** @type {Set<ReturnType<typeof setTimeout>>} */
  #timers = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #watch;
  /** @type {{ epoch: number, sdp: string, sent: boolean, abort: AbortController } | null} the offer that waits */
  #offer = null;
  #failures = 0;
  #missing = 0;
  #polling = false;
  #closed = false;
  #up = true;

  /**
   * @param {{ id: string, peer: string, request: Request, open: () => Socket,
   *   tell: (event: SignalEvent) => void, places?: Places, random?: () => number }} parts `open` makes a WebSocket
   */
  constructor({ id, peer, request, open, tell, places = ownersPlaces(id), random = Math.random }) {
    this.#id = id;
    this.#places = places;
    this.#peer = peer;
    this.#request = request;
    this.#open = open;
    this.#tell = tell;
    this.#random = random;
  }

  /** The name this page goes by. */
  get peer() {
    return this.#peer;
  }

  /** Begin; goes on until `close`. */
  start() {
    this.#connect();
    if (!this.#isOpen) void this.#poll();
  }

  /** Try the WebSocket now: the network may be back. */
  nudge() {
    if (this.#closed || this.#isOpen) return;
    this.#failures = 0;
    this.#connect();
    void this.#poll();
  }

  close() {
    this.#closed = true;
    this.#offer?.abort.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    clearTimeout(this.#watch);
    this.#letGo();
  }

  /**
   * Post an offer; its answer or refusal is told as an event. A newer offer replaces an older one.
   * @param {number} epoch
   * @param {string} sdp
   */
  offer(epoch, sdp) {
    this.#offer?.abort.abort();
    this.#offer = { epoch, sdp, sent: false, abort: new AbortController() };
    if (this.#isOpen) this.#sendOffer();
    else if (this.#socket) this.#later(WAITS.offerMs, () => this.#offerByHttp());
    else this.#offerByHttp();
  }

  /** A peer is no more wanted. @param {number} epoch */
  bye(epoch) {
    if (this.#offer?.epoch === epoch) {
      this.#offer.abort.abort();
      this.#offer = null;
    }
    this.#send({ type: "bye", peer: this.#peer, epoch });
  }

  /** @param {Heartbeat} heartbeat */
  heartbeat(heartbeat) {
    if (this.#send({ type: "heartbeat", ...heartbeat })) return;
    this.#ask("POST", this.#places.heartbeat, { body: heartbeat }).catch(() => {});
  }

  /** Ask for the desktop, give it, take it. @param {SeatDeed} deed @param {string} [to] whom it is about */
  seat(deed, to) {
    const body = { do: deed, peer: this.#peer, ...(to ? { to } : {}) };
    if (this.#send({ type: "seat", ...body }) || deed === "leave") return;
    this.#ask("POST", this.#places.seats, { body }).catch(() => {});
  }

  get #isOpen() {
    return this.#socket?.readyState === OPEN;
  }

  #connect() {
    if (this.#closed) return;
    this.#letGo();
    const socket = this.#open();
    this.#socket = socket;
    this.#expect(WAITS.openMs);
    socket.onopen = () => this.#opened();
    socket.onmessage = (/** @type {{ data: unknown }} */ { data }) => this.#received(data);
    socket.onclose = (/** @type {{ code?: number, reason?: string }} */ { code, reason }) =>
      code === LINK_OVER ? this.#linkOver(reason ?? "") : this.#lostSocket(socket, code ?? 0);
  }

  #opened() {
    this.#expect(WAITS.silentMs);
    this.#reach(true);
    // After a break this page has its seat again before anybody else is given it.
    this.seat("here");
    if (this.#offer && !this.#offer.sent) this.#sendOffer();
  }

  /** @param {unknown} data */
  #received(data) {
    this.#expect(WAITS.silentMs);
    this.#failures = 0;
    const message = parse(data);
    if (message?.type === "ping") this.#send({ type: "pong" });
    else if (message?.type === "session") this.#gotSession(message.session);
    else if (message?.type === "exit") this.#tell({ type: "exit", exit: message.exit });
    else if (message?.type === "seats") this.#tell({ type: "seats", viewers: message.viewers ?? [] });
    else if (message?.type === "answer" && message.peer === this.#peer) this.#answered(message.epoch, message.sdp);
    else if (message?.type === "refused" && message.peer === this.#peer) this.#refused(message.epoch, message);
  }

  /** @param {Socket} socket @param {number} code */
  #lostSocket(socket, code) {
    if (socket !== this.#socket || this.#closed) return;
    this.#letGo();
    if (code === 4401) this.#tell({ type: "signed-out" });
    if (this.#offer) this.#offerByHttp();
    void this.#poll();
    this.#failures += 1;
    this.#later(backoff(this.#failures, WAITS.again, this.#random), () => this.#isOpen || this.#connect());
  }

  /** The link that this page came by lets nobody in any more. @param {string} why */
  #linkOver(why) {
    if (this.#closed) return;
    this.close();
    this.#tell({ type: "link-over", why });
  }

  /** Drop the socket unless something is heard in time. @param {number} ms */
  #expect(ms) {
    clearTimeout(this.#watch);
    const socket = this.#socket;
    this.#watch = setTimeout(() => socket && this.#lostSocket(socket, 0), ms);
  }

  #letGo() {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#watch);
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {object} message */
  #send(message) {
    if (!this.#isOpen) return false;
    this.#socket?.send(JSON.stringify(message));
    return true;
  }

  #sendOffer() {
    const offer = this.#offer;
    if (!offer) return;
    offer.sent = this.#send({ type: "offer", peer: this.#peer, epoch: offer.epoch, sdp: offer.sdp });
  }

  /** The slow road: post what was not sent yet, then ask until there is an answer. */
  async #offerByHttp() {
    const offer = this.#offer;
    if (!offer || this.#closed || (this.#isOpen && offer.sent)) return;
    if (this.#isOpen) return this.#sendOffer();
    const { epoch, sdp, abort } = offer;
    const query = new URLSearchParams({ peer: this.#peer, epoch: `${epoch}`, wait_ms: `${WAITS.answerMs}` });
    try {
      const body = { peer: this.#peer, epoch, sdp };
      if (!offer.sent) await this.#ask("POST", this.#places.offer, { body, signal: abort.signal });
      offer.sent = true;
      while (this.#offer === offer && !this.#closed) {
        const deadlineMs = WAITS.answerMs + 5000;
        const answer = await this.#ask("GET", `${this.#places.answer}?${query}`, { signal: abort.signal, deadlineMs });
        if (answer.status === 200) return this.#answered(epoch, answer.body?.sdp);
      }
    } catch (error) {
      if (!abort.signal.aborted) this.#refused(epoch, /** @type {any} */ (error));
    }
  }

  /** @param {unknown} epoch @param {unknown} sdp */
  #answered(epoch, sdp) {
    if (this.#offer?.epoch !== epoch || typeof sdp !== "string") return;
    this.#offer = null;
    this.#tell({ type: "answer", epoch: Number(epoch), sdp });
  }

  /** @param {unknown} epoch @param {{ code?: string, message?: string }} why */
  #refused(epoch, { code = "", message = "" }) {
    const waits = this.#offer?.epoch === epoch;
    // The one refusal that comes after an answer, to a peer that may be on the screen.
    if (!waits && !(code === SERVER_DIED && Number.isInteger(epoch))) return;
    if (waits) this.#offer = null;
    this.#tell({ type: "refused", epoch: Number(epoch), code, message });
  }

  /** Ask for the session while there is no WebSocket to say it. */
  async #poll() {
    if (this.#polling || this.#closed) return;
    this.#polling = true;
    try {
      const { body } = await this.#ask("GET", this.#places.session);
      this.#missing = 0;
      this.#gotSession(body);
    } catch (error) {
      this.#pollFailed(/** @type {any} */ (error));
    }
    this.#polling = false;
    if (!this.#isOpen) this.#later(WAITS.pollMs, () => this.#isOpen || this.#poll());
  }

  /** @param {{ status?: number, code?: string, message?: string }} error */
  #pollFailed({ status = 0, code = "", message = "" }) {
    if (status === 410) return this.#linkOver(message);
    if (status === 401) this.#tell({ type: "signed-out" });
    this.#missing = status === 404 && code === "not_found" ? this.#missing + 1 : 0;
    if (this.#missing >= MISSING_TIMES) this.#tell({ type: "missing" });
  }

  /** @param {any} session */
  #gotSession(session) {
    if (session?.id === this.#id) this.#tell({ type: "session", session });
  }

  /** @type {Request} */
  async #ask(method, path, options) {
    try {
      const answer = await this.#request(method, path, options);
      this.#reach(true);
      return answer;
    } catch (error) {
      const status = /** @type {any} */ (error)?.status ?? 0;
      if (!options?.signal?.aborted) this.#reach(status > 0 && status < 500);
      throw error;
    }
  }

  /** @param {boolean} up */
  #reach(up) {
    if (up === this.#up || this.#closed) return;
    this.#up = up;
    this.#tell({ type: "reachable", up });
  }

  /** @param {number} ms @param {() => unknown} act */
  #later(ms, act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#closed) act();
    }, ms);
    this.#timers.add(timer);
  }
}

/** @param {unknown} data @returns {any} null for what is no JSON object */
function parse(data) {
  try {
    const value = JSON.parse(String(data));
    return value && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}
