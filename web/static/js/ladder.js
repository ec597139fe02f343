import { backoff } from "./backoff.js";
import { LIMITS } from "./limits.js";
import { SERVER_DIED } from "./signal.js";

/** @import { LadderCommand, LadderEvent, Rung } from "../../types/model" */

/**
 * @typedef {{ epoch: number, since: number, picture: boolean, relay: boolean, frameAt: number,
 *   dead: boolean, counted: boolean }} Peer
 * @typedef {{ vnc: number, since: number, picture: boolean, dead: boolean }} Vnc
 */

/**
 * Which way the picture comes, decided without touching anything: events in, commands out.
 *
 * WebRTC first (a relay is WebRTC's own second choice); noVNC when it has no picture; back up when it works
 * again. The old picture stays until the new one has been drawn. `choose vnc` pins noVNC, `choose webrtc`
 * lets the ladder climb again. Everything follows from `#settle`, which compares what is with what should be.
 */
export class Ladder {
  #phase = /** @type {"waiting" | "ready" | "away" | "over"} */ ("waiting");
  #pinned = false;
  #signal = true;
  #visible = true;
  /** @type {Peer | null} on the screen */
  #peer = null;
  /** @type {Peer | null} not on the screen yet */
  #trying = null;
  /** @type {Vnc | null} on the screen; may be dead, its last picture stays */
  #shown = null;
  /** @type {Vnc | null} not on the screen yet */
  #spare = null;
  #downSince = 0;
  #failures = 0;
  #climbAt = 0;
  #vncFailures = 0;
  #vncAt = 0;
  #tickAt = 0;
  #epoch = 0;
  #vnc = 0;
  #random;
  /** @type {LadderCommand[]} */
  #out = [];

  /** @param {() => number} [random] */
  constructor(random = Math.random) {
    this.#random = random;
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
    if (this.#peer) return this.#peer.dead || this.#tickAt - this.#peer.frameAt >= LIMITS.staleMs;
    return this.#shown ? this.#shown.dead : false;
  }

  /** What is being tried beside it. @returns {"webrtc" | "vnc" | null} */
  get trying() {
    if (this.#spare) return "vnc";
    return this.#trying ? "webrtc" : null;
  }

  /**
   * @param {LadderEvent} event
   * @returns {LadderCommand[]}
   */
  handle(event) {
    this.#out = [];
    if (this.#take(event)) this.#settle(event.now);
    return this.#out;
  }

  /** Write the event down. @param {LadderEvent} event @returns {boolean} whether anything may follow */
  #take(event) {
    const { now } = event;
    switch (event.type) {
      case "frame":
        return this.#frame(event.epoch, now);
      case "tick":
        if (this.#tickAt && now - this.#tickAt > LIMITS.jumpMs) this.#freshStart(now);
        if (!this.#visible) this.#forgive(now);
        this.#tickAt = now;
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
    const peer = this.#find(event.epoch);
    if (!peer) return false;
    if (event.type === "picture") Object.assign(peer, { picture: true, relay: event.relay, frameAt: event.now });
    else if (event.type === "relay") peer.relay = event.relay;
    else if (event.type === "refused") this.#refused(peer, event.code);
    else if (event.type === "connection") peer.dead ||= event.state === "failed" || event.state === "closed";
    return true;
  }

  /**
   * A peer on the screen whose server died is no failed try, however young.
   * @param {Peer} peer
   * @param {string} [code]
   */
  #refused(peer, code) {
    peer.dead = true;
    if (code === SERVER_DIED && peer === this.#peer) peer.counted = true;
  }

  /** @param {number} epoch @param {number} now */
  #frame(epoch, now) {
    const peer = this.#find(epoch);
    if (!peer) return false;
    const was = now - peer.frameAt;
    peer.frameAt = now;
    return was >= LIMITS.staleMs;
  }

  /** @param {number} epoch */
  #find(epoch) {
    return [this.#trying, this.#peer].find((peer) => peer?.epoch === epoch) ?? null;
  }

  /** @param {"webrtc" | "vnc"} rung @param {number} now */
  #choose(rung, now) {
    this.#pinned = rung === "vnc";
    if (this.#pinned) this.#dropTrying();
    this.#retryNow(now);
  }

  /** @param {number} now */
  #retryNow(now) {
    this.#failures = this.#vncFailures = 0;
    this.#climbAt = this.#vncAt = now;
  }

  /** Nothing that happened while nobody looked counts against a peer. @param {number} now */
  #freshStart(now) {
    this.#retryNow(now);
    this.#forgive(now);
  }

  /** @param {number} now */
  #forgive(now) {
    this.#downSince = now;
    for (const one of [this.#peer, this.#trying, this.#spare]) {
      if (!one) continue;
      one.since = now;
      if ("frameAt" in one) one.frameAt = now;
    }
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
    if (this.#peer?.dead && !this.#peer.counted) {
      this.#peer.counted = true;
      if (now - this.#peer.since < LIMITS.steadyMs) this.#countFailure(now);
    }
    const trying = this.#trying;
    if (trying && !trying.picture && (trying.dead || now - trying.since >= LIMITS.tryMs)) {
      this.#dropTrying();
      this.#countFailure(now);
    }
    const spare = this.#spare;
    if (spare && (spare.dead || (!spare.picture && now - spare.since >= LIMITS.vncTryMs))) {
      this.#dropSpare();
      this.#vncFailures += 1;
      this.#vncAt = now + backoff(this.#vncFailures, LIMITS.vnc, this.#random);
    }
  }

  /** @param {number} now */
  #countFailure(now) {
    this.#failures += 1;
    this.#climbAt = now + backoff(this.#failures, LIMITS.climb, this.#random);
  }

  /** Put on the screen what has drawn and is better. @param {number} now */
  #promote(now) {
    if (this.#trying?.picture && !this.#pinned) this.#showPeer(this.#trying, now);
    if (this.#peer && this.#fresh(now)) {
      this.#downSince = this.#peer.frameAt;
      if (now - this.#peer.since >= LIMITS.steadyMs) this.#failures = 0;
      if (!this.#pinned) {
        this.#dropTrying();
        this.#dropSpare();
      }
    }
    if (this.#spare?.picture && this.#vncDue(now)) this.#showVnc(this.#spare, now);
  }

  /** @param {Peer} peer @param {number} now */
  #showPeer(peer, now) {
    this.#out.push({ do: "show-peer", epoch: peer.epoch });
    if (this.#peer) this.#out.push({ do: "close-peer", epoch: this.#peer.epoch });
    this.#dropShown();
    this.#peer = peer;
    this.#trying = null;
    this.#climbAt = now;
  }

  /** @param {Vnc} vnc @param {number} now */
  #showVnc(vnc, now) {
    this.#out.push({ do: "show-vnc", vnc: vnc.vnc });
    if (this.#peer) this.#out.push({ do: "close-peer", epoch: this.#peer.epoch });
    this.#dropShown();
    this.#peer = null;
    this.#shown = vnc;
    this.#spare = null;
    this.#vncFailures = 0;
    this.#vncAt = now;
  }

  /** @param {number} now */
  #openMissing(now) {
    if (!this.#pinned && !this.#trying && !this.#fresh(now) && now >= this.#climbAt) {
      this.#epoch += 1;
      this.#trying = newPeer(this.#epoch, now);
      this.#out.push({ do: "open-peer", epoch: this.#epoch });
    }
    const wanted = this.#vncDue(now) || now - this.#downSince >= LIMITS.prepareMs;
    const have = this.#spare || (this.#shown && !this.#shown.dead);
    if (wanted && !have && now >= this.#vncAt && !(this.#fresh(now) && !this.#pinned)) {
      this.#vnc += 1;
      this.#spare = { vnc: this.#vnc, since: now, picture: false, dead: false };
      this.#out.push({ do: "open-vnc", vnc: this.#vnc });
    }
  }

  /** True while the peer on the screen brings pictures. @param {number} now */
  #fresh(now) {
    return this.#peer !== null && !this.#peer.dead && now - this.#peer.frameAt < LIMITS.staleMs;
  }

  /** True when noVNC should be on the screen. @param {number} now */
  #vncDue(now) {
    if (this.#pinned || this.#shown) return true;
    if (this.#fresh(now)) return false;
    return this.#failures > 0 || now - this.#downSince >= LIMITS.fallMs;
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

/** @param {number} epoch @param {number} now @returns {Peer} */
function newPeer(epoch, now) {
  return { epoch, since: now, picture: false, relay: false, frameAt: now, dead: false, counted: false };
}
