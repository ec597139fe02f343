import { backoff } from "./backoff.js";
import { Offering } from "./offering.js";
import { randomName } from "./names.js";
import { ownersPlaces } from "./places.js";
import { WAITS } from "./waits.js";

/** @import { Heartbeat, Offered, Places, SeatDeed, SignalEvent } from "../../types/model" */

/** An unknown session is believed only when the server says so this often in a row. */
const MISSING_TIMES = 2;

const OPEN = 1;
/** The code of a socket whose link is over; its reason says why. */
const LINK_OVER = 4411;
/** The name by which this page says that it is here is another person's. */
const PEER_TAKEN = "peer_taken";

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
  #offering;
  #failures = 0;
  #missing = 0;
  #polling = false;
  #closed = false;
  #up = true;
  /** When the socket said something last, by performance.now(). */
  #heardAt = 0;
  /** It was asked whether it lives. */
  #doubted = false;

  /**
   * @param {{ id: string, peer: string, request: Request, open: () => Socket,
   *   tell: (event: SignalEvent) => void, places?: Places, random?: () => number, ahead?: Offered | null }} parts `open`
   *   makes a WebSocket; `ahead` went out by the first one
   */
  constructor({ id, peer, request, open, tell, places = ownersPlaces(id), random = Math.random, ahead = null }) {
    this.#id = id;
    this.#places = places;
    this.#peer = peer;
    this.#request = request;
    this.#open = open;
    this.#tell = tell;
    this.#random = random;
    const ask = this.#ask.bind(this);
    const peerNow = () => this.#peer;
    this.#offering = new Offering({ peer: peerNow, places, ask, send: (message) => this.#send(message), tell: (event) => this.#became(event), ahead });
  }

  /** The name this page goes by: another one once somebody else has it. */
  get peer() {
    return this.#peer;
  }

  /** Begin; goes on until `close`. */
  start() {
    this.#connect();
    if (!this.#isOpen) void this.#poll();
  }

  /** The network may be back, or another one: try the WebSocket now, and ask one that seems open whether it lives. */
  nudge() {
    if (this.#closed) return;
    if (this.#isOpen) return this.#doubt();
    this.#failures = 0;
    this.#connect();
    void this.#poll();
  }

  close() {
    this.#closed = true;
    this.#offering.drop();
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
    this.#offering.replace(epoch, sdp);
    if (this.#offering.bySocket()) {
      if (performance.now() - this.#heardAt > WAITS.livelyMs) this.#doubt();
      return;
    }
    if (this.#socket) this.#later(WAITS.offerMs, () => this.#offering.bySocket() || this.#offering.byHttp());
    else void this.#offering.byHttp();
  }

  /** A peer is no more wanted. @param {number} epoch @param {string} [peer] another than this page's own, which made a look */
  bye(epoch, peer = this.#peer) {
    if (peer === this.#peer) this.#offering.drop(epoch);
    this.#send({ type: "bye", peer, epoch });
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
    this.#hear();
    this.#reach(true);
    // After a break this page has its seat again before anybody else is given it.
    this.seat("here");
    this.#offering.bySocket();
  }

  /** @param {unknown} data */
  #received(data) {
    this.#hear();
    this.#failures = 0;
    const message = parse(data);
    if (message?.type === "ping") this.#send({ type: "pong" });
    else if (message?.type === "session") this.#gotSession(message.session);
    else if (message?.type === "exit") this.#tell({ type: "exit", exit: message.exit });
    else if (message?.type === "seats") this.#tell({ type: "seats", viewers: message.viewers ?? [] });
    else if (message?.type === "answer" && message.peer === this.#peer) this.#offering.answered(message.epoch, message.sdp);
    else if (message?.type === "refused" && message.peer === this.#peer) {
      this.#offering.refused(message.epoch, message);
      if (message.peer === this.#peer && message.code === PEER_TAKEN) this.#rename();
    }
  }

  /** What came of an offer. @param {SignalEvent} event */
  #became(event) {
    if (event.type === "refused" && event.code === PEER_TAKEN) this.#rename();
    this.#tell(event);
  }

  /** This page's name is somebody else's, as after a server that forgot: it goes by another from now on. */
  #rename() {
    this.#peer = randomName();
    this.seat("here");
  }

  /**
   * A socket of noVNC was turned away, as this name is another person's: to the server the browser is somebody else
   * by now than who opened the events' socket. That one comes anew as well, or it would name the page for who it was.
   * @param {string} name
   */
  taken(name) {
    if (name !== this.#peer || this.#closed) return;
    this.#peer = randomName();
    this.#connect();
  }

  /** @param {Socket} socket @param {number} code */
  #lostSocket(socket, code) {
    if (socket !== this.#socket || this.#closed) return;
    this.#letGo();
    if (code === 4401) this.#tell({ type: "signed-out" });
    if (!code) this.#offering.unsent();
    void this.#offering.byHttp();
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

  #hear() {
    this.#heardAt = performance.now();
    this.#doubted = false;
    this.#expect(WAITS.silentMs);
  }

  /** Its way may be gone without a word, as when the address changed: let it answer, soon. */
  #doubt() {
    if (this.#doubted || !this.#send({ type: "ping" })) return;
    this.#doubted = true;
    this.#expect(WAITS.doubtMs);
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
    this.#doubted = false;
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
