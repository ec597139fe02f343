import { Attempt } from "./attempt.js";
import { falls, prepares } from "./fall.js";
import { LIMITS } from "./limits.js";
import { Probes } from "./probes.js";
import { Awake } from "./pulse.js";
import { Retry } from "./retry.js";

/** @import { LadderCommand, LadderEvent, Rung } from "../../types/model" */

/** @typedef {{ vnc: number, since: number, picture: boolean, dead: boolean }} Vnc */

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
  /** @type {Attempt | null} on the screen */
  #peer = null;
  /** @type {Attempt | null} not on the screen yet */
  #trying = null;
  /** @type {Vnc | null} on the screen; may be dead, its last picture stays */
  #shown = null;
  /** @type {Vnc | null} not on the screen yet */
  #spare = null;
  #downSince = 0;
  #tickAt = 0;
  #awake = new Awake();
  #climb;
  #vncRetry;
  #probes;
  #epoch = 0;
  #vnc = 0;
  /** @type {LadderCommand[]} */
  #out = [];

  /** @param {() => number} [random] */
  constructor(random = Math.random) {
    this.#climb = new Retry(LIMITS.climb, random);
    this.#vncRetry = new Retry(LIMITS.vnc, random);
    this.#probes = new Probes(random);
  }

  /** The newest try's number. */
  get epoch() {
    return this.#epoch;
  }

  /** True when the user asked for noVNC. */
  get pinned() {
    return this.#pinned;
  }

  /** What is on the screen. @returns {Rung | null} */
  get rung() {
    if (this.#peer) return this.#peer.relay ? "webrtc-relay" : "webrtc";
    return this.#shown ? "vnc" : null;
  }

  /** True when what is on the screen is known to be cut off. */
  get lost() {
    if (this.#peer) return !this.#peer.fresh(this.#awake.now);
    return this.#shown ? this.#shown.dead : false;
  }

  /** What is being tried beside it. @returns {"webrtc" | "vnc" | null} */
  get trying() {
    if (this.#spare) return "vnc";
    return this.#trying ? "webrtc" : null;
  }

  /** When the next tick is wanted, in milliseconds: sooner while a peer is in doubt. */
  get tickMs() {
    const doubt = [this.#peer, this.#trying].some((peer) => peer?.pulse.hurried(this.#awake.now));
    return doubt && this.#visible ? LIMITS.hurriedTickMs : LIMITS.tickMs;
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
        if (this.#tickAt && now - this.#tickAt > LIMITS.jumpMs) this.#freshStart(now);
        if (!this.#visible) this.#forgive(now);
        this.#tickAt = now;
        this.#ping();
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
        if (event.up && !this.#signal) this.#retryNow(now);
        this.#signal = event.up;
        return true;
      case "visible":
        this.#visible = event.visible;
        if (event.visible) this.#freshStart(now);
        return true;
      case "network":
        this.#retryNow(now);
        return true;
      case "probed":
        this.#probes.ended(event.direct, now);
        if (event.direct && this.#peer?.relay) this.#openPeer(now, true);
        return true;
      default:
        return this.#fromRung(event);
    }
  }

  /** @param {Extract<LadderEvent, { epoch: number } | { vnc: number }>} event */
  #fromRung(event) {
    if ("vnc" in event) {
      const vnc = [this.#spare, this.#shown].find((one) => one?.vnc === event.vnc);
      if (!vnc) return false;
      if (event.type === "vnc-picture") vnc.picture = true;
      else vnc.dead = true;
      return true;
    }
    const peer = [this.#trying, this.#peer].find((one) => one?.epoch === event.epoch);
    return peer?.take(event, this.#awake.now, peer === this.#peer) ?? false;
  }

  #ping() {
    if (!this.#visible || this.#phase !== "ready") return;
    for (const peer of [this.#peer, this.#trying]) {
      if (!peer || peer.dead || peer.pictureAt === null) continue;
      if (peer.pulse.beat(this.#awake.now)) this.#out.push({ do: "ping", epoch: peer.epoch });
      if (peer.nudges(this.#awake.now)) this.#out.push({ do: "nudge", epoch: peer.epoch });
    }
  }

  /** @param {"webrtc" | "vnc"} rung @param {number} now */
  #choose(rung, now) {
    this.#pinned = rung === "vnc";
    this.#chosen = !this.#pinned;
    if (this.#pinned) this.#dropTrying();
    this.#retryNow(now);
  }

  /** @param {number} now */
  #retryNow(now) {
    this.#climb.anew(now);
    this.#vncRetry.anew(now);
    this.#probes.soon(now);
  }

  /** Nothing that happened while nobody looked counts against a peer. @param {number} now */
  #freshStart(now) {
    this.#retryNow(now);
    this.#forgive(now);
  }

  /** @param {number} now */
  #forgive(now) {
    this.#downSince = now;
    if (this.#spare) this.#spare.since = now;
    for (const peer of [this.#peer, this.#trying]) peer?.forgive(now, this.#awake.now);
  }

  /** @param {number} now */
  #settle(now) {
    if (this.#phase !== "ready") return;
    this.#buryDead(now);
    this.#promote(now);
    if (this.#visible && this.#signal) this.#openMissing(now);
  }

  /** Give up what failed or took too long. @param {number} now */
  #buryDead(now) {
    if (this.#peer?.cut(this.#awake.now) && !this.#peer.counted) {
      this.#peer.counted = true;
      if (now - this.#peer.since < LIMITS.steadyMs) this.#climb.fail(now);
    }
    const trying = this.#trying;
    const late = trying && trying.pictureAt === null && now - trying.since >= LIMITS.tryMs;
    if (trying && (late || trying.cut(this.#awake.now))) {
      this.#dropTrying();
      this.#climb.fail(now);
    }
    const spare = this.#spare;
    if (spare && (spare.dead || (!spare.picture && now - spare.since >= LIMITS.vncTryMs))) {
      this.#dropSpare();
      this.#vncRetry.fail(now);
    }
  }

  /** Put on the screen what has drawn and is better. @param {number} now */
  #promote(now) {
    if (this.#trying && !this.#pinned && this.#better(this.#trying, now)) this.#showPeer(this.#trying, now);
    if (this.#peer && this.#fresh()) {
      this.#downSince = now - this.#peer.starved(this.#awake.now);
      if (now - this.#peer.since >= LIMITS.steadyMs) this.#climb.failures = 0;
      // A try goes on: the guest gave up the old peer when it was offered the new one.
      if (!this.#pinned && !this.#peer.pulse.suspect(this.#awake.now)) this.#dropSpare();
    }
    if (this.#spare?.picture && this.#vncDue(now)) this.#showVnc(this.#spare, now);
  }

  /** What runs is given up only for what has proved itself; what is broken for any picture. @param {Attempt} peer @param {number} now */
  #better(peer, now) {
    if (peer.pictureAt === null) return false;
    const runs = this.#shown !== null && !this.#shown.dead && !this.#chosen;
    return !runs || peer.proved(now, this.#awake.now);
  }

  /** @param {Attempt} peer @param {number} now */
  #showPeer(peer, now) {
    this.#out.push({ do: "show-peer", epoch: peer.epoch });
    if (this.#peer) this.#out.push({ do: "close-peer", epoch: this.#peer.epoch });
    this.#dropShown();
    this.#peer = peer;
    this.#trying = null;
    this.#chosen = false;
    this.#climb.hasten(now);
    this.#probes.wait(now);
  }

  /** @param {Vnc} vnc @param {number} now */
  #showVnc(vnc, now) {
    this.#out.push({ do: "show-vnc", vnc: vnc.vnc });
    if (this.#peer) this.#out.push({ do: "close-peer", epoch: this.#peer.epoch });
    this.#dropShown();
    this.#peer = null;
    this.#shown = vnc;
    this.#chosen &&= this.#trying !== null;
    this.#spare = null;
    this.#vncRetry.anew(now);
  }

  /** @param {number} now */
  #openMissing(now) {
    const fresh = this.#fresh();
    if (!this.#pinned && !this.#trying && !fresh && this.#climb.due(now)) this.#openPeer(now, false);
    if (fresh && !this.#pinned) {
      const relayed = this.#peer?.relay && !this.#trying;
      if (relayed && this.#probes.begin(now)) this.#out.push({ do: "probe", epoch: this.#epoch });
      if (!this.#peer?.pulse.suspect(this.#awake.now)) return;
    }
    const have = this.#spare || (this.#shown && !this.#shown.dead);
    if (have || !this.#vncRetry.due(now) || !(this.#vncDue(now) || prepares(this.#fall(now)))) return;
    this.#vnc += 1;
    this.#spare = { vnc: this.#vnc, since: now, picture: false, dead: false };
    this.#out.push({ do: "open-vnc", vnc: this.#vnc });
  }

  /** @param {number} now @param {boolean} direct without a relay */
  #openPeer(now, direct) {
    if (this.#trying) return;
    this.#epoch += 1;
    this.#trying = new Attempt(this.#epoch, now, this.#awake.now, direct);
    this.#out.push({ do: "open-peer", epoch: this.#epoch, direct });
  }

  /** True while the peer on the screen brings pictures. */
  #fresh() {
    return this.#peer?.fresh(this.#awake.now) ?? false;
  }

  /** True when noVNC should be on the screen. @param {number} now */
  #vncDue(now) {
    if (this.#pinned || this.#shown) return true;
    return !this.#fresh() && (this.#climb.failures > 0 || falls(this.#fall(now)));
  }

  /** @param {number} now */
  #fall(now) {
    return { peer: this.#peer, downSince: this.#downSince, now, awake: this.#awake.now };
  }

  #dropTrying() {
    if (this.#trying) this.#out.push({ do: "close-peer", epoch: this.#trying.epoch });
    this.#trying = null;
  }

  #dropSpare() {
    if (this.#spare) this.#out.push({ do: "close-vnc", vnc: this.#spare.vnc });
    this.#spare = null;
  }

  #dropShown() {
    if (this.#shown) this.#out.push({ do: "close-vnc", vnc: this.#shown.vnc });
    this.#shown = null;
  }

  #closeAll() {
    this.#dropTrying();
    this.#dropSpare();
    this.#dropShown();
    if (this.#peer) this.#out.push({ do: "close-peer", epoch: this.#peer.epoch });
    this.#peer = null;
  }
}
