import { Below } from "./below.js";
import { Climb } from "./climb.js";
import { falls, prepares } from "./fall.js";
import { LIMITS } from "./limits.js";
import { Awake } from "./pulse.js";

/** @import { Attempt } from "./attempt.js" */
/** @import { Vnc } from "./below.js" */
/** @import { LadderCommand, LadderEvent, Rung } from "../../types/model" */

/**
 * Which way the picture comes, decided without touching anything: events in, commands out.
 *
 * WebRTC first (a relay is WebRTC's own second choice); noVNC when it has no picture; back up when it works
 * again. The old picture stays until the new one has been drawn, and a better one must have run for a while first. `choose vnc` pins noVNC, `choose webrtc`
 * lets the ladder climb again. Everything follows from `#settle`, which compares what is with what should be.
 */
export class Ladder {
  #phase = /** @type {"waiting" | "ready" | "away" | "over"} */ ("waiting");
  #pinned = false;
  /** The user asked for WebRTC, and does not wait for it to prove itself. */
  #chosen = false;
  #signal = true;
  #visible = true;
  #climb;
  #below;
  #downSince = 0;
  #tickAt = 0;
  #awake = new Awake();
  /** @type {LadderCommand[]} */
  #out = [];

  /** @param {() => number} [random] */
  constructor(random = Math.random) {
    const out = (/** @type {LadderCommand} */ command) => void this.#out.push(command);
    this.#climb = new Climb(out, random);
    this.#below = new Below(out, random);
  }

  /** The newest try's number. */
  get epoch() {
    return this.#climb.epoch;
  }

  /** True when the user asked for noVNC. */
  get pinned() {
    return this.#pinned;
  }

  /** What is on the screen. @returns {Rung | null} */
  get rung() {
    const { peer } = this.#climb;
    if (peer) return peer.relay ? "webrtc-relay" : "webrtc";
    return this.#below.shown ? "vnc" : null;
  }

  /** True when what is on the screen is known to be cut off. */
  get lost() {
    return this.#climb.peer ? !this.#fresh() : this.#below.lost(this.#awake.now);
  }

  /** True while what is typed should wait: what is on the screen is gone, or probably is. */
  get doubts() {
    const { peer } = this.#climb;
    if (!peer) return this.#below.doubts(this.#awake.now);
    return peer.dead || peer.pulse.suspect(this.#awake.now);
  }

  /** What is being tried beside it. @returns {"webrtc" | "vnc" | null} */
  get trying() {
    if (this.#below.spare) return "vnc";
    return this.#climb.trying ? "webrtc" : null;
  }

  /** When the next tick is wanted, in milliseconds: sooner while a peer is in doubt. */
  get tickMs() {
    return this.#visible && this.#climb.hurried(this.#awake.now) ? LIMITS.hurriedTickMs : LIMITS.tickMs;
  }

  /**
   * @param {LadderEvent} event
   * @returns {LadderCommand[]}
   */
  handle(event) {
    this.#out = [];
    this.#awake.step(event.now);
    if (this.#take(event)) this.#settle(event.now);
    return this.#out;
  }

  /** Write the event down. @param {LadderEvent} event @returns {boolean} whether anything may follow */
  #take(event) {
    const { now } = event;
    switch (event.type) {
      case "tick":
        if (this.#tickAt && now - this.#tickAt > LIMITS.jumpMs) this.#wake(now);
        if (!this.#visible) this.#forgive(now);
        this.#tickAt = now;
        if (this.#visible && this.#phase === "ready") this.#ping();
        return true;
      case "ready":
        if (this.#phase !== "waiting") return false;
        this.#phase = "ready";
        this.#freshStart(now);
        return true;
      case "over":
      case "leave":
        if (this.#phase === "over") return false;
        this.#phase = event.type === "over" ? "over" : "away";
        this.#closeAll();
        return false;
      case "return":
        if (this.#phase !== "away") return false;
        this.#phase = "ready";
        this.#freshStart(now);
        return true;
      case "choose":
        this.#choose(event.rung, now);
        return true;
      case "signal":
        if (event.up && !this.#signal) this.#sign(now);
        this.#signal = event.up;
        return true;
      case "visible":
        this.#visible = event.visible;
        if (event.visible) this.#wake(now);
        return true;
      case "network":
        this.#sign(now);
        return true;
      case "probed":
        this.#climb.probes.ended(event.direct, now);
        if (event.direct && this.#climb.peer?.relay) this.#climb.open(now, this.#awake.now, true);
        return true;
      default:
        return this.#fromRung(event);
    }
  }

  #ping() {
    this.#climb.ping(this.#awake.now);
    this.#below.ping(this.#awake.now);
  }

  /** @param {Extract<LadderEvent, { epoch: number } | { vnc: number }>} event */
  #fromRung(event) {
    if ("vnc" in event) return this.#below.take(event, this.#awake.now);
    if (event.type === "refused" && event.waitMs) this.#climb.retry.hold(event.now, event.waitMs);
    const peer = this.#climb.find(event.epoch);
    return peer?.take(event, this.#awake.now, peer === this.#climb.peer) ?? false;
  }

  /** @param {"webrtc" | "vnc"} rung @param {number} now */
  #choose(rung, now) {
    this.#pinned = rung === "vnc";
    this.#chosen = !this.#pinned;
    if (this.#pinned) this.#climb.dropTrying();
    this.#retryNow(now);
  }

  /** @param {number} now */
  #retryNow(now) {
    this.#climb.anew(now);
    this.#below.retry.anew(now);
  }

  /** What failed may work again. @param {number} now */
  #sign(now) {
    this.#climb.sign(now);
    this.#below.retry.sign(now);
  }

  /** @param {number} now */
  #freshStart(now) {
    this.#retryNow(now);
    this.#forgive(now);
  }

  /** Nothing that happened while nobody looked counts against a peer. @param {number} now */
  #wake(now) {
    this.#sign(now);
    this.#forgive(now);
  }

  /** @param {number} now */
  #forgive(now) {
    this.#downSince = now;
    this.#below.forgive(now);
    this.#climb.forgive(now, this.#awake.now);
  }

  /** @param {number} now */
  #settle(now) {
    if (this.#phase !== "ready") return;
    this.#climb.bury(now, this.#awake.now);
    this.#below.bury(now);
    this.#promote(now);
    if (this.#visible && this.#signal) this.#openMissing(now);
  }

  /** Put on the screen what has drawn and is better. @param {number} now */
  #promote(now) {
    const { trying } = this.#climb;
    if (trying && !this.#pinned && this.#better(trying, now)) this.#showPeer(trying, now);
    const { peer } = this.#climb;
    if (peer && this.#fresh()) {
      this.#downSince = now - peer.starved(this.#awake.now);
      if (now - peer.since >= LIMITS.steadyMs) this.#climb.retry.failures = 0;
      // A try goes on: the guest gave up the old peer when it was offered the new one.
      if (!this.#pinned && !peer.pulse.suspect(this.#awake.now)) this.#below.dropSpare();
    }
    const { spare } = this.#below;
    if (spare?.picture && this.#vncDue(now)) this.#showVnc(spare, now);
  }

  /** What runs is given up only for what has proved itself; what is broken for any picture. @param {Attempt} peer @param {number} now */
  #better(peer, now) {
    if (peer.pictureAt === null) return false;
    return !this.#below.runs(this.#awake.now) || this.#chosen || peer.proved(now, this.#awake.now, this.#climb.proveMs);
  }

  /** @param {Attempt} peer @param {number} now */
  #showPeer(peer, now) {
    this.#out.push({ do: "show-peer", epoch: peer.epoch });
    this.#climb.took(peer, now);
    this.#below.dropShown();
    this.#chosen = false;
  }

  /** @param {Vnc} vnc @param {number} now */
  #showVnc(vnc, now) {
    this.#out.push({ do: "show-vnc", vnc: vnc.vnc });
    this.#climb.dropPeer();
    this.#below.dropShown();
    this.#below.took(vnc, now);
    this.#chosen &&= this.#climb.trying !== null;
  }

  /** @param {number} now */
  #openMissing(now) {
    const { peer, trying, retry } = this.#climb;
    const fresh = this.#fresh();
    if (!this.#pinned && !trying && !fresh && retry.due(now)) this.#climb.open(now, this.#awake.now, false);
    if (fresh && !this.#pinned) {
      this.#climb.probe(now);
      if (!peer?.pulse.suspect(this.#awake.now)) return;
    }
    if (this.#vncDue(now) || prepares(this.#fall(now))) this.#below.open(now, this.#awake.now);
  }

  /** True while the peer on the screen brings pictures. */
  #fresh() {
    return this.#climb.fresh(this.#awake.now);
  }

  /** True when noVNC should be on the screen. @param {number} now */
  #vncDue(now) {
    if (this.#pinned || this.#below.shown) return true;
    return !this.#fresh() && (this.#climb.retry.failures > 0 || falls(this.#fall(now)));
  }

  /** @param {number} now */
  #fall(now) {
    return { peer: this.#climb.peer, downSince: this.#downSince, now, awake: this.#awake.now };
  }

  #closeAll() {
    this.#climb.dropTrying();
    this.#below.dropSpare();
    this.#below.dropShown();
    this.#climb.dropPeer();
  }
}
