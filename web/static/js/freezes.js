/** A picture that is due and not drawn for this long is a freeze. Milliseconds. */
const FREEZE_MS = 500;
/** The guest repeats a picture that stands still this often, or says that it does, so that a longer silence is no still picture. */
const REPEAT_MS = 2000;
const SILENCE_MS = 3000;
/** Frames closer than this are motion. */
const MOTION_MS = 200;
/** A frame drawn this shortly before a mark may be the marked one. */
const MARKED_MS = 300;

/**
 * What a report counts that tells of frames on their way; counters only rise.
 * @typedef {{ bytes: number, lost: number, asked: number, dropped: number }} Arrived `asked`: NACKs and PLIs sent
 */

/**
 * Counts freezes of a stream that sends nothing while the picture stands still: the browser's own count takes every
 * pause for one. A freeze is half a second without a drawn frame although one was due, and due is a frame when
 * media arrived and nothing was drawn, when a mark told of it, when packets were lost in the midst of motion, or when
 * even the repeats of a still picture stay away.
 */
export class Freezes {
  #count = 0;
  #ms = 0;
  #drawnAt;
  #moving = false;
  /** @type {number | null} since when a frame is known to be due */
  #dueAt = null;
  /** @type {{ at: number, drawn: number } & Arrived | null} the last look */
  #before = null;
  #drawn = 0;
  /** The longest pause within motion since the last look. */
  #pause = 0;

  /** @param {number} now milliseconds of a steady clock */
  constructor(now) {
    this.#drawnAt = now;
  }

  /** A frame was drawn. @param {number} now */
  drawn(now) {
    const gap = now - this.#drawnAt;
    const frozen = this.#frozen(now);
    if (frozen) this.#add(frozen);
    else if (this.#moving) this.#pause = Math.max(this.#pause, gap);
    this.#moving = gap < MOTION_MS;
    this.#drawnAt = now;
    this.#dueAt = null;
    this.#drawn += 1;
  }

  /** The guest told of a frame that answers an input. @param {number} now */
  marked(now) {
    if (now - this.#drawnAt > MARKED_MS) this.#dueAt ??= now;
  }

  /** The guest says that there is no newer picture than the one drawn last. @param {number} now */
  rests(now) {
    const frozen = this.#frozen(now);
    if (frozen) this.#add(frozen);
    this.#moving = false;
    this.#drawnAt = now;
    this.#dueAt = null;
  }

  /** Nobody saw what was until now: the page was hidden. @param {number} now */
  restart(now) {
    this.#drawnAt = now;
    this.#dueAt = null;
    this.#before = null;
    this.#moving = false;
    this.#pause = 0;
  }

  /**
   * Compare with the last look. A freeze that lasts is in what this returns, and is counted once it ends.
   * @param {number} now
   * @param {Arrived} arrived
   * @returns {{ count: number, ms: number }} since the beginning
   */
  look(now, arrived) {
    const before = this.#before;
    if (before) {
      const none = this.#drawn === before.drawn;
      const lost = arrived.lost > before.lost || arrived.asked > before.asked || arrived.dropped > before.dropped;
      if (none && arrived.bytes > before.bytes) this.#dueAt ??= now;
      if (lost && this.#pause > FREEZE_MS) this.#add(this.#pause);
      if (lost && none && this.#moving) this.#dueAt ??= Math.max(this.#drawnAt, before.at);
    }
    this.#pause = 0;
    this.#before = { at: now, drawn: this.#drawn, ...arrived };
    const lasting = this.#frozen(now);
    return { count: this.#count + (lasting ? 1 : 0), ms: Math.round(this.#ms + lasting) };
  }

  /** How long the picture has been frozen, 0 when it is not. @param {number} now */
  #frozen(now) {
    const due = this.#dueAt === null ? 0 : now - this.#dueAt;
    const silent = now - this.#drawnAt > SILENCE_MS ? now - this.#drawnAt - REPEAT_MS : 0;
    return Math.max(due > FREEZE_MS ? due : 0, silent);
  }

  /** @param {number} ms */
  #add(ms) {
    this.#count += 1;
    this.#ms += ms;
  }
}
