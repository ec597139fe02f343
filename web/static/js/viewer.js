import { request, socketUrl } from "./api.js";
import { isOver } from "./format.js";
import { IceServerList } from "./ice.js";
import { Ladder } from "./ladder.js";
import { Layers } from "./layers.js";
import { randomName } from "./names.js";
import { eventsSocket, iceServers } from "./opening.js";
import { warmUp } from "./peer.js";
import { wantedSize } from "./scale.js";
import { Signal } from "./signal.js";
import { NO_STATS, Recent } from "./statistics.js";
import { WebRtc } from "./webrtc.js";

/** @import { Vnc } from "./vnc.js" */
/** @import { LadderCommand, LadderEvent, OwnExit, Session, SignalEvent, Size, Stats } from "../../types/model" */
/** @typedef {LadderEvent extends infer E ? E extends LadderEvent ? Omit<E, "now"> : never : never} Happening */

const TICK_MS = 250;
const HEARTBEAT_MS = 10_000;
const RESIZE_MS = 250;
/** noVNC is fetched this long after the first picture, to be there when the network is worse. */
const FETCH_VNC_MS = 1000;

/**
 * One session's picture: turns what happens into events of the ladder, and its commands into deeds.
 * Tells `changed` when anything a person could see is different, and `refused` when the server says no.
 */
export class Viewer {
  #id;
  #on;
  #layers;
  #ladder = new Ladder();
  #signal;
  #peerName = randomName();
  #iceServers = new IceServerList(iceServers);
  /** @type {Map<number, WebRtc>} */
  #peers = new Map();
  /** @type {Map<number, Vnc>} */
  #vncs = new Map();
  /** @type {WebRtc | Vnc | null} */
  #shown = null;
  #recent = new Recent();
  /** @type {Session | null} */
  #session = null;
  #reachable = true;
  #drawn = false;
  /** The epoch whose peer waits for the list of ICE servers. */
  #opening = 0;
  /** The noVNC that waits for its modules. */
  #openingVnc = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #resizing;

  /**
   * @param {string} id the session
   * @param {HTMLElement} stage where the picture goes
   * @param {{ changed: () => void, refused: (why: "missing" | "signed-out") => void, leaves?: (own: OwnExit) => void }} on
   */
  constructor(id, stage, on) {
    this.#id = id;
    this.#on = on;
    this.#layers = new Layers(stage);
    this.#signal = new Signal({
      id,
      peer: this.#peerName,
      request,
      open: () => eventsSocket(id),
      tell: (event) => this.#heard(event),
    });
    this.#listen(stage);
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

  /** True while the controller answers. */
  get reachable() {
    return this.#reachable;
  }

  /** How the picture fares. @returns {"waiting" | "connecting" | "live" | "lost" | "over"} */
  get state() {
    if (this.#session && isOver(this.#session)) return "over";
    if (this.rung) return this.#ladder.lost ? "lost" : "live";
    return this.#session?.state === "ready" ? "connecting" : "waiting";
  }

  start() {
    this.#signal.start();
    void this.#iceServers.current();
    void warmUp();
    setInterval(() => this.#happen({ type: "tick" }), TICK_MS);
    setInterval(() => void this.#heartbeat(), HEARTBEAT_MS);
  }

  /** What the buttons do. @param {"vnc" | "webrtc"} rung */
  use(rung) {
    this.#happen({ type: "choose", rung });
    this.focus();
  }

  focus() {
    this.#shown?.focus();
  }

  /** Type a text on the desktop. @param {string} text */
  type(text) {
    this.#shown?.type(text);
  }

  /** @returns {Promise<Stats>} */
  async stats() {
    return this.#shown ? this.#recent.add(await this.#shown.sample()) : { ...NO_STATS };
  }

  /** @param {HTMLElement} stage */
  #listen(stage) {
    new ResizeObserver(() => this.#resizeSoon()).observe(stage);
    document.addEventListener("visibilitychange", () => {
      this.#happen({ type: "visible", visible: !document.hidden });
      if (!document.hidden) this.#wake();
    });
    window.addEventListener("online", () => this.#wake());
    window.addEventListener("pagehide", () => this.#happen({ type: "leave" }));
    window.addEventListener("pageshow", ({ persisted }) => {
      if (persisted) this.#happen({ type: "return" });
      if (persisted) this.#wake();
    });
    if (document.hidden) this.#happen({ type: "visible", visible: false });
  }

  #wake() {
    this.#signal.nudge();
    this.#happen({ type: "network" });
    this.#resizeSoon();
  }

  /** @param {SignalEvent} event */
  #heard(event) {
    if (event.type === "session") return this.#gotSession(event.session);
    if (event.type === "exit") return this.#on.leaves?.(event.exit);
    if (event.type === "answer") return void this.#gotAnswer(event.epoch, event.sdp);
    if (event.type === "refused") return this.#happen({ type: "refused", epoch: event.epoch, code: event.code });
    if (event.type === "reachable") {
      this.#reachable = event.up;
      this.#on.changed();
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
    this.#on.changed();
  }

  /** @param {number} epoch @param {string} sdp */
  async #gotAnswer(epoch, sdp) {
    try {
      await this.#peers.get(epoch)?.answer(sdp);
    } catch {
      this.#happen({ type: "refused", epoch });
    }
  }

  /** @param {Happening} happening */
  #happen(happening) {
    const before = this.#look();
    const event = /** @type {LadderEvent} */ ({ ...happening, now: performance.now() });
    for (const command of this.#ladder.handle(event)) this.#obey(command);
    if (before !== this.#look()) this.#on.changed();
  }

  #look() {
    return `${this.state} ${this.rung} ${this.trying} ${this.pinned}`;
  }

  /** @param {LadderCommand} command */
  #obey(command) {
    switch (command.do) {
      case "open-peer":
        return void this.#openPeer(command.epoch);
      case "close-peer":
        if (this.#opening === command.epoch) this.#opening = 0;
        this.#signal.bye(command.epoch);
        return this.#drop(this.#peers, command.epoch);
      case "show-peer":
        return this.#show(this.#peers.get(command.epoch));
      case "open-vnc":
        return void this.#openVnc(command.vnc).catch(() => this.#happen({ type: "vnc-closed", vnc: command.vnc }));
      case "close-vnc":
        if (this.#openingVnc === command.vnc) this.#openingVnc = 0;
        return this.#drop(this.#vncs, command.vnc);
      case "show-vnc":
        return this.#show(this.#vncs.get(command.vnc));
    }
  }

  /** @param {number} epoch */
  async #openPeer(epoch) {
    this.#opening = epoch;
    const iceServers = await this.#iceServers.current();
    if (this.#opening !== epoch) return;
    const peer = new WebRtc(this.#layers.add(), iceServers, {
      offer: (sdp) => this.#signal.offer(epoch, sdp),
      connection: (state) => this.#happen({ type: "connection", epoch, state }),
      picture: (relay) => this.#happen({ type: "picture", epoch, relay }),
      frame: () => this.#happen({ type: "frame", epoch }),
      relay: (relay) => this.#happen({ type: "relay", epoch, relay }),
      swapped: () => this.#shown === peer && this.#show(peer),
      open: () => this.#resizeSoon(),
    });
    this.#peers.set(epoch, peer);
    peer.open().catch(() => this.#happen({ type: "refused", epoch }));
  }

  /** @param {number} vnc */
  async #openVnc(vnc) {
    this.#openingVnc = vnc;
    const { Vnc } = await import("./vnc.js");
    if (this.#openingVnc !== vnc) return;
    const socket = new WebSocket(socketUrl(`/api/sessions/${this.#id}/vnc`), ["binary"]);
    const resize = (/** @type {Size} */ body) =>
      void request("POST", `/api/sessions/${this.#id}/screen`, { body }).catch(() => {});
    const rung = new Vnc(this.#layers.add(), socket, {
      picture: () => this.#happen({ type: "vnc-picture", vnc }),
      closed: () => this.#happen({ type: "vnc-closed", vnc }),
      resize,
    });
    this.#vncs.set(vnc, rung);
  }

  /** @param {WebRtc | Vnc | undefined} rung */
  #show(rung) {
    if (!rung?.element) return;
    this.#shown = rung;
    this.#recent = new Recent();
    if (this.#layers.show(rung.layer, rung.element)) rung.focus();
    this.#resizeSoon();
    if (!this.#drawn) {
      this.#drawn = true;
      setTimeout(() => void import("./vnc.js").catch(() => {}), FETCH_VNC_MS);
      void this.#heartbeat();
    }
  }

  /** @param {Map<number, WebRtc | Vnc>} rungs @param {number} key */
  #drop(rungs, key) {
    const rung = rungs.get(key);
    rungs.delete(key);
    if (!rung) return;
    if (this.#shown === rung) this.#shown = null;
    rung.close();
    this.#layers.remove(rung.layer);
  }

  /** Let the desktop follow the room there is, once that stands still. */
  #resizeSoon() {
    clearTimeout(this.#resizing);
    this.#resizing = setTimeout(() => {
      const size = wantedSize(this.#layers.size());
      const now = this.#shown?.size();
      if (!size || !now || document.hidden) return;
      if (size.width !== now.width || size.height !== now.height) this.#shown?.resize(size);
    }, RESIZE_MS);
  }

  async #heartbeat() {
    if (this.state === "over") return;
    const rung = this.rung;
    const stats = this.#shown ? await this.stats() : undefined;
    const seen = rung ? { rung, first_frame: this.#drawn, ...(stats ? { stats } : {}) } : {};
    const epoch = this.epoch ? { epoch: this.epoch } : {};
    this.#signal.heartbeat({ peer: this.#peerName, ...epoch, ...seen });
  }
}
