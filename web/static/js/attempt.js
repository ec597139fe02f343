import { LIMITS } from "./limits.js";
import { Pulse } from "./pulse.js";
import { SERVER_DIED } from "./waits.js";

/** @import { LadderEvent } from "../../types/model" */

/** One try at a peer, as the ladder knows it. `awake` is milliseconds that the page was awake, `now` the steady clock. */
export class Attempt {
  relay = false;
  dead = false;
  /** When it died. */
  deadAt = 0;
  /** @type {number | null} when its first picture that counts was drawn */
  pictureAt = null;
  /** Its end was counted as a failure, or is none: what was refused before anybody asked is met by the next at once. */
  counted = false;
  pulse;
  #frameAt;
  /** Since when a picture is owed that the guest says it sent; 0: none. */
  #owedAt = 0;
  /** Key frames asked for in this gap. */
  #nudges = 0;

  /** @param {number} epoch @param {number} now @param {number} awake @param {boolean} direct tried without a relay, to replace one */
  constructor(epoch, now, awake, direct) {
    this.epoch = epoch;
    this.since = now;
    this.direct = direct;
    this.#frameAt = awake;
    this.pulse = new Pulse(awake);
  }

  /**
   * What happened to it.
   * @param {Extract<LadderEvent, { epoch: number }>} event
   * @param {number} awake
   * @param {boolean} shown it is on the screen: then a server that died is no failed try, however young
   * @returns {boolean} whether anything may follow
   */
  take(event, awake, shown) {
    if (event.type === "frame") return this.frame(awake);
    if (event.type === "heard") return this.#heard(event, awake);
    if (event.type === "picture") this.#drawn(event.now, awake, event.relay);
    else if (event.type === "relay") this.relay = event.relay;
    else if (event.type === "refused") this.#die(event.now, event.early || (shown && event.code === SERVER_DIED));
    else if (event.state === "failed" || event.state === "closed") this.#die(event.now, false);
    return true;
  }

  /** @param {{ pong: boolean, sent: boolean, rests: boolean }} event @param {number} awake */
  #heard({ pong, sent, rests }, awake) {
    if (rests) return this.#renewed(awake, true);
    const news = !this.fresh(awake);
    this.pulse.heard(awake, pong);
    if (sent) this.#promised(awake);
    return news;
  }

  /** @param {number} awake @returns {boolean} whether that is news: it was stale, or in doubt */
  frame(awake) {
    return this.#renewed(awake, false);
  }

  /** There is a picture, or none newer than the last: as good as a repeat of it. @param {number} awake @param {boolean} pong */
  #renewed(awake, pong) {
    const news = !this.fresh(awake);
    this.#frameAt = awake;
    this.#owedAt = 0;
    this.#nudges = 0;
    this.pulse.heard(awake, pong);
    return news;
  }

  /** The guest sent a changed picture a moment ago; it may have come already. @param {number} awake */
  #promised(awake) {
    if (awake - this.#frameAt > LIMITS.owedSlackMs) this.#owedAt ||= awake;
  }

  /** @param {number} now @param {number} awake @param {boolean} relay */
  #drawn(now, awake, relay) {
    this.pictureAt ??= now;
    this.relay = relay;
    this.frame(awake);
  }

  /** @param {number} now @param {boolean} excused */
  #die(now, excused) {
    if (!this.dead) this.deadAt = now;
    this.dead = true;
    this.counted ||= excused;
  }

  /** Nothing that happened while nobody looked counts against it. @param {number} now @param {number} awake */
  forgive(now, awake) {
    this.since = now;
    this.#frameAt = awake;
    this.#owedAt = 0;
    this.pulse.forgive(awake);
  }

  /** No pictures, though it may answer: the guest repeats its picture each 2 s. @param {number} awake */
  stale(awake) {
    const owed = this.#owedAt > 0 && awake - this.#owedAt >= LIMITS.owedMs;
    return owed || this.starved(awake) >= (this.pulse.answers ? LIMITS.frozenMs : LIMITS.staleMs);
  }

  /**
   * True, now and then in a gap, when a key frame should be asked for: it answers, and yet a repeat is late. One that was
   * lost has no follower that would tell, so the gap may mean as little as that.
   * @param {number} awake
   */
  nudges(awake) {
    const gap = this.starved(awake) - LIMITS.nudgeMs;
    if (!this.pulse.answers || gap < this.#nudges * LIMITS.nudgeEachMs) return false;
    this.#nudges += 1;
    return true;
  }

  /** Milliseconds without a picture. @param {number} awake */
  starved(awake) {
    return awake - this.#frameAt;
  }

  /** True while it brings pictures. @param {number} awake */
  fresh(awake) {
    return !this.dead && !this.pulse.silent(awake) && !this.stale(awake);
  }

  /** True when it ended or was cut off. @param {number} awake */
  cut(awake) {
    return this.dead || this.pulse.silent(awake);
  }

  /** True when its picture has run well for long enough to take the place of one that runs. @param {number} now @param {number} awake @param {number} ms */
  proved(now, awake, ms) {
    return this.pictureAt !== null && now - this.pictureAt >= ms && this.fresh(awake);
  }
}
