import { Attempt } from "./attempt.js";
import { LIMITS } from "./limits.js";
import { Probes } from "./probes.js";
import { Retry } from "./retry.js";

/** @import { LadderCommand } from "../../types/model" */

/**
 * The ladder's upper rungs: the peer on the screen, the one that proves itself in the background, and when the next
 * may be tried. `awake` is milliseconds that the page was awake, `now` the steady clock.
 */
export class Climb {
  /** @type {Attempt | null} on the screen */
  peer = null;
  /** @type {Attempt | null} not on the screen yet */
  trying = null;
  /** The newest try's number. */
  epoch = 0;
  retry;
  probes;
  /** The newest probe's number: a name of its own, so numbers of its own, and none twice. */
  #probed = 0;
  #out;

  /** @param {(command: LadderCommand) => void} out @param {() => number} random */
  constructor(out, random) {
    this.#out = out;
    this.retry = new Retry(LIMITS.climb, random);
    this.probes = new Probes(random);
  }

  get #both() {
    return [this.trying, this.peer];
  }

  /** @param {number} epoch */
  find(epoch) {
    return this.#both.find((one) => one?.epoch === epoch);
  }

  /** True while the peer on the screen brings pictures. @param {number} awake */
  fresh(awake) {
    return this.peer?.fresh(awake) ?? false;
  }

  /** True while pings follow each other fast. @param {number} awake */
  hurried(awake) {
    return this.#both.some((peer) => peer?.pulse.hurried(awake));
  }

  /** At once, and as if nothing had failed. @param {number} now */
  anew(now) {
    this.retry.anew(now);
    this.probes.soon(now);
  }

  /** @param {number} now */
  sign(now) {
    if (this.retry.sign(now)) this.probes.soon(now);
  }

  /** For so long a peer must run before it takes the place of what runs: longer after those that broke soon. */
  get proveMs() {
    return Math.min(LIMITS.proveMs * 2 ** Math.min(Math.max(this.retry.failures - 1, 0), 10), LIMITS.proveMostMs);
  }

  /** @param {number} now @param {number} awake */
  forgive(now, awake) {
    for (const peer of this.#both) peer?.forgive(now, awake);
  }

  /** Ask those that are connected for a sign of life, and for a key frame where a picture is late. @param {number} awake */
  ping(awake) {
    for (const peer of [this.peer, this.trying]) {
      if (!peer || peer.dead || peer.pictureAt === null) continue;
      if (peer.pulse.beat(awake)) this.#out({ do: "ping", epoch: peer.epoch });
      if (peer.nudges(awake)) this.#out({ do: "nudge", epoch: peer.epoch });
    }
  }

  /** Give up what failed or took too long. @param {number} now @param {number} awake */
  bury(now, awake) {
    this.#judge(now, awake);
    const { trying } = this;
    const late = trying && trying.pictureAt === null && now - trying.since >= LIMITS.tryMs;
    if (!trying || !(late || trying.cut(awake))) return;
    this.dropTrying();
    if (!trying.counted) this.retry.fail(now);
  }

  /** An end soon after its start, or after it came back, is a failure, which is waited for from the second on; one after a good time is none. @param {number} now @param {number} awake */
  #judge(now, awake) {
    const { peer } = this;
    if (!peer || peer.cut(awake) === peer.counted) return;
    peer.counted = !peer.counted;
    if (!peer.counted) peer.since = now;
    else if (now - peer.since < LIMITS.steadyMs) this.retry.broke(now);
  }

  /** @param {number} now @param {number} awake @param {boolean} direct without a relay */
  open(now, awake, direct) {
    if (this.trying) return;
    this.epoch += 1;
    this.trying = new Attempt(this.epoch, now, awake, direct);
    this.#out({ do: "open-peer", epoch: this.epoch, direct });
  }

  /** See whether there is a way without the relay that is on the screen, when it is time. @param {number} now */
  probe(now) {
    if (!this.peer?.relay || this.trying || !this.probes.begin(now)) return;
    this.#probed += 1;
    this.#out({ do: "probe", epoch: this.#probed });
  }

  /** The one that was tried takes the place of the one before. @param {Attempt} peer @param {number} now */
  took(peer, now) {
    this.dropPeer();
    this.peer = peer;
    // how long it lasts is counted from here
    peer.since = now;
    this.trying = null;
    this.retry.hasten(now);
    this.probes.wait(now);
  }

  dropTrying() {
    if (this.trying) this.#out({ do: "close-peer", epoch: this.trying.epoch });
    this.trying = null;
  }

  dropPeer() {
    if (this.peer) this.#out({ do: "close-peer", epoch: this.peer.epoch });
    this.peer = null;
  }
}
