import { request } from "./api.js";
import { Commands } from "./commands.js";
import { isOver } from "./format.js";
import { Heartbeats } from "./heartbeats.js";
import { Ladder } from "./ladder.js";
import { Listeners } from "./listeners.js";
import { offeredAhead } from "./line.js";
import { eventsSocket } from "./opening.js";
import { ownersPlaces } from "./places.js";
import { Rungs, fetchVnc } from "./rungs.js";
import { Screen } from "./screen.js";
import { Seats } from "./seats.js";
import { Signal } from "./signal.js";
import { watchSurroundings } from "./surroundings.js";

/** @import { WebRtc } from "./webrtc.js" */
/** @import { Happening, LadderEvent, OwnExit, Places, Seat, SeatDeed, Session, SignalEvent, Stats } from "../../types/model" */

/** noVNC is fetched this long after the first picture, to be there when the network is worse. */
const FETCH_VNC_MS = 1000;

/**
 * One session's picture: turns what happens into events of the ladder, whose `Commands` are carried out.
 * Tells `changed` when anything a person could see is different, and `refused` when the server says no.
 * Others of the page listen by `on` and speak to the guest by `send`.
 */
export class Viewer {
  #on;
  #screen;
  #ladder = new Ladder();
  #signal;
  #seats = new Seats(() => this.#signal.peer);
  #rungs;
  #commands;
  #listeners = new Listeners();
  /** @type {Session | null} */
  #session = null;
  #reachable = true;
  #drawn = false;
  #over = false;
  /** What the server is told of the picture. */
  heartbeats;

  /**
   * @param {string} id the session
   * @param {HTMLElement} stage where the picture goes
   * @param {{ changed: () => void, refused: (why: "missing" | "signed-out") => void, leaves?: (own: OwnExit) => void }} on
   * @param {Places} [places]
   */
  constructor(id, stage, on, places = ownersPlaces(id)) {
    this.#on = on;
    this.#screen = new Screen(stage, () => this.#seats.drives);
    this.#signal = new Signal({
      id,
      peer: offeredAhead().peer,
      request,
      places,
      open: () => eventsSocket(places),
      tell: (event) => this.#heard(event),
      ahead: offeredAhead(),
    });
    this.heartbeats = new Heartbeats(this.#signal, this);
    this.#rungs = new Rungs(places, this.#screen.layers, this.#signal, {
      happen: (happening) => this.#happen(happening),
      open: (rung) => this.#opened(rung),
      swapped: (rung) => this.#screen.rung === rung && this.#commands.show(rung),
      dropped: (count) => this.#listeners.tell("unheard", count),
      message: (rung, message) => this.#screen.rung === rung && this.#listeners.tell("message", message),
    });
    this.#commands = new Commands(this.#signal, this.#rungs, this.#screen, {
      shown: (other) => this.#shown(other),
      gone: () => this.#listeners.tell("rung", null),
    });
    watchSurroundings(stage, {
      visible: (visible) => this.#happen({ type: "visible", visible }),
      wake: () => this.#wake(),
      leave: () => void (this.#happen({ type: "leave" }), this.#signal.seat("leave")),
      back: () => void (this.#signal.seat("here"), this.#happen({ type: "return" })),
      room: () => this.#screen.following.soon(),
    });
  }

  get session() {
    return this.#session;
  }

  get rung() {
    return this.#ladder.rung;
  }

  get epoch() {
    return this.#ladder.epoch;
  }

  get trying() {
    return this.#ladder.trying;
  }

  /** True when the user asked for noVNC. */
  get pinned() {
    return this.#ladder.pinned;
  }

  get seats() {
    return this.#seats;
  }

  /** True while the controller answers. */
  get reachable() {
    return this.#reachable;
  }

  /** True once a picture was on the screen. */
  get drawn() {
    return this.#drawn;
  }

  /** The rung on the screen. */
  get shown() {
    return this.#screen.rung;
  }

  /** The WebRTC rung while it is on the screen. */
  get webrtc() {
    return this.#screen.webrtc;
  }

  /** How the picture fares. @returns {"waiting" | "connecting" | "live" | "lost" | "over"} */
  get state() {
    if (this.#over || (this.#session && isOver(this.#session))) return "over";
    if (this.rung) return this.#ladder.lost ? "lost" : "live";
    return this.#session?.state === "ready" ? "connecting" : "waiting";
  }

  start() {
    this.#signal.start();
    this.#rungs.prepare();
    this.#tick();
    this.heartbeats.start();
  }

  /**
   * Hear of something; answers what ends it.
   * `message` a message of the guest whose peer is on the screen: what it said before it was shown comes first;
   * `unheard` so many key presses and texts may have been lost when one peer followed another;
   * `changed` anything a person could see is different; `rung` another rung is on the screen, or none (null);
   * `seats` who watches or drives is different; `link-over` why the link this page came by lets nobody in any more.
   * @param {"message" | "changed" | "rung" | "unheard" | "seats" | "link-over"} kind
   * @param {(what: any) => void} listener
   */
  on(kind, listener) {
    return this.#listeners.on(kind, listener);
  }

  /** Say something to the guest. @param {string} tag @param {...unknown} rest @returns {boolean} false: nobody to say it to */
  send(tag, ...rest) {
    return this.webrtc?.send(tag, ...rest) ?? false;
  }

  /** Ask for the desktop, give it, take it. @param {SeatDeed} deed @param {string} [to] whom it is about */
  seat(deed, to) {
    this.#signal.seat(deed, to);
  }

  /** There is nothing to see any more, whatever may come: ask for nothing. */
  end() {
    if (this.#over) return;
    this.#over = true;
    this.#happen({ type: "over" });
    this.#signal.close();
    this.#changed();
  }

  #tick() {
    this.#happen({ type: "tick" });
    if (this.state !== "over") setTimeout(() => this.#tick(), this.#ladder.tickMs);
  }

  /** What the buttons do. @param {"vnc" | "webrtc"} rung */
  use(rung) {
    this.#happen({ type: "choose", rung });
    this.focus();
  }

  /** True while a screen keyboard is wanted. */
  get keyboard() {
    return this.#screen.keyboard;
  }

  /** Let a phone's keyboard rise, or none, on this rung and those that follow. @param {boolean} on */
  raiseKeyboard(on) {
    this.#screen.keyboard = on;
    this.focus();
  }

  focus() {
    this.#screen.rung?.focus();
  }

  /** Type a text on the desktop. @param {string} text */
  type(text) {
    this.#screen.rung?.type(text);
  }

  /** @returns {Promise<Stats>} */
  stats() {
    return this.#screen.stats();
  }

  /** Latencies that the shown peer measured after its first `count`; null by noVNC. @param {number} count */
  latencies(count) {
    return this.webrtc?.latencies(count) ?? null;
  }

  /** @param {Seat[]} viewers */
  #seated(viewers) {
    const drove = this.#seats.drives;
    this.#seats.viewers = viewers;
    this.#screen.layers.watch(!this.#seats.drives);
    if (this.#seats.drives && !drove) this.focus();
    if (!this.#seats.drives) this.#screen.rung?.forget();
    this.#screen.following.soon();
    this.#listeners.tell("seats");
    this.#on.changed();
  }

  /** @param {string} why */
  #linkOver(why) {
    this.#listeners.tell("link-over", why);
    this.end();
  }

  #wake() {
    this.#signal.nudge();
    this.#happen({ type: "network" });
    this.#screen.following.soon();
  }

  /** @param {SignalEvent} event */
  #heard(event) {
    if (event.type === "session") return this.#gotSession(event.session);
    if (event.type === "seats") return this.#seated(event.viewers);
    if (event.type === "link-over") return this.#linkOver(event.why);
    if (event.type === "exit") return this.#on.leaves?.(event.exit);
    if (event.type === "answer") return void this.#rungs.answer(event.epoch, event.sdp);
    if (event.type === "refused") return this.#happen(event);
    if (event.type === "reachable") {
      this.#reachable = event.up;
      this.#changed();
      return this.#happen({ type: "signal", up: event.up });
    }
    // A session whose picture is live exists, whatever a server that has just started may say.
    if (this.state !== "live") this.#on.refused(event.type);
  }

  /** @param {Session} session */
  #gotSession(session) {
    if (this.#session && isOver(this.#session)) return;
    this.#session = session;
    if (session.state === "ready") this.#happen({ type: "ready" });
    if (isOver(session)) {
      this.#happen({ type: "over" });
      this.#signal.close();
    }
    this.#changed();
  }

  /** @param {Happening} happening */
  #happen(happening) {
    const before = this.#look();
    const event = /** @type {LadderEvent} */ ({ ...happening, now: performance.now() });
    for (const command of this.#ladder.handle(event)) this.#commands.obey(command);
    this.#screen.rung?.hold(this.#ladder.doubts);
    if (before !== this.#look()) this.#changed();
  }

  #look() {
    return `${this.state} ${this.rung} ${this.trying} ${this.pinned}`;
  }

  #changed() {
    this.#on.changed();
    this.#listeners.tell("changed");
  }

  /** @param {WebRtc} rung input may be sent on it */
  #opened(rung) {
    this.#screen.following.soon();
    const before = this.webrtc;
    if (before && before !== rung && this.#seats.drives) rung.ask(before.epoch);
  }

  /** A rung is on the screen, which has drawn. @param {boolean} other another than before */
  #shown(other) {
    if (other) this.#listeners.tell("rung", this.rung);
    for (const message of this.webrtc?.takeEarly() ?? []) this.#listeners.tell("message", message);
    if (this.#drawn) return;
    this.#drawn = true;
    setTimeout(fetchVnc, FETCH_VNC_MS);
    this.heartbeats.first();
  }
}
