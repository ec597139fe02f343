import { Echo } from "./echo.js";
import { LIMITS } from "./limits.js";

/**
 * Whether a peer still answers: anything heard is a sign of life, and a ping asks for one where nothing comes by itself.
 * What comes says nothing of the way there, on which input goes: that is judged by the answers alone.
 * Times are milliseconds that the page was awake, so that a thread that was busy accuses nobody.
 */
export class Pulse {
  /** The last sign of life. */
  heardAt;
  #pingAt = -Infinity;
  /** Pings since the last sign of life. */
  #asked = 0;
  /** Pings ever, until the first answer: a guest that knows none is not asked for ever. */
  #wasted = 0;
  #echo = new Echo();
  /** When the first ping since the last sign of life went out. */
  #askedAt = 0;
  /** @type {number | null} what an answer takes, smoothed */
  #rttMs = null;

  /** @param {number} awake */
  constructor(awake) {
    this.heardAt = awake;
  }

  /** @param {number} awake @param {boolean} pong */
  heard(awake, pong) {
    if (pong && this.#asked > 0) this.#measure(awake - this.#askedAt);
    this.heardAt = awake;
    this.#asked = 0;
    if (pong) this.#echo.pong();
  }

  /** A lost ping makes it look longer for a while, which only makes us patient. @param {number} ms */
  #measure(ms) {
    this.#rttMs = this.#rttMs === null ? ms : this.#rttMs + (ms - this.#rttMs) / 4;
  }

  /** How long nothing may be heard, with the round trip counted in. @param {{ leastMs: number, mostMs: number, slackMs: number, trips: number }} limits */
  #patience({ leastMs, mostMs, slackMs, trips }) {
    if (this.#rttMs === null) return mostMs;
    return Math.min(Math.max(LIMITS.pingMs + this.#rttMs * trips + slackMs, leastMs), mostMs);
  }

  /** True when it answered a ping once, and so can be told to be silent. */
  get answers() {
    return this.#echo.answers;
  }

  /** Begin anew: nothing before this moment counts. @param {number} awake */
  forgive(awake) {
    this.heardAt = awake;
    this.#asked = 0;
    this.#echo.forgive();
  }

  /** True, and taken as done, when a ping should go out now: slowly at first, then in a hurry. @param {number} awake */
  beat(awake) {
    if (awake - this.#pingAt < this.#every(awake)) return false;
    if (!this.answers && this.#wasted >= LIMITS.pingsWasted) return false;
    this.#pingAt = awake;
    if (!this.#asked) this.#askedAt = awake;
    this.#asked += 1;
    this.#wasted += this.answers ? 0 : 1;
    this.#echo.ping(awake);
    return true;
  }

  /** Milliseconds from one ping to the next. @param {number} awake */
  #every(awake) {
    if (this.#quiet(awake)) return LIMITS.hurryEachMs;
    if (this.#deaf(awake, LIMITS.up.hurryMs)) return LIMITS.up.hurryEachMs;
    // Until the first answer also while pictures flow: only who answered once can be told to be silent.
    return this.answers && awake - this.heardAt < LIMITS.pingMs ? LIMITS.up.pingMs : LIMITS.pingMs;
  }

  /** True while pings go out fast: one of them is bound to get through a network that merely loses some. @param {number} awake */
  hurried(awake) {
    return this.#quiet(awake) || this.#deaf(awake, LIMITS.up.hurryMs);
  }

  /** Nothing comes, for longer than an answer takes. @param {number} awake */
  #quiet(awake) {
    return this.answers && this.#asked > 0 && awake - this.heardAt >= this.#patience(LIMITS.hurry);
  }

  /** Probably cut off: time to prepare. @param {number} awake */
  suspect(awake) {
    const { suspectMs, suspectPings } = LIMITS.up;
    return this.#unanswered(awake, this.#patience(LIMITS.suspect), LIMITS.suspectPings) || this.#deaf(awake, suspectMs, suspectPings);
  }

  /** Cut off: too long and too often unanswered for bad luck. @param {number} awake */
  silent(awake) {
    const { silentMs, silentPings } = LIMITS.up;
    return this.#unanswered(awake, LIMITS.silentMs, LIMITS.silentPings) || this.#deaf(awake, silentMs, silentPings);
  }

  /** Pings are not answered, though pictures may come. @param {number} awake @param {number} ms @param {number} [pings] */
  #deaf(awake, ms, pings = 1) {
    return this.#echo.asked >= pings && this.#echo.waits(awake) >= ms;
  }

  /** @param {number} awake @param {number} ms @param {number} pings */
  #unanswered(awake, ms, pings) {
    return this.answers && this.#asked >= pings && awake - this.heardAt >= ms;
  }
}

/** Milliseconds that the page was awake: a gap between two events counts for so much at most. */
export class Awake {
  now = 0;
  #last = -1;

  /** @param {number} now any steady clock */
  step(now) {
    if (this.#last >= 0) this.now += Math.min(Math.max(now - this.#last, 0), LIMITS.gapMs);
    this.#last = now;
    return this.now;
  }
}
