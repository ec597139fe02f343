/** @import { Signal } from "./signal.js" */
/** @import { Rung, Stats, Summary } from "../../types/model" */

const EACH_MS = 10_000;

/**
 * What is looked at: `shown` is what is on the screen, of which there are figures.
 * @typedef {{ readonly state: string, readonly rung: Rung | null, readonly epoch: number, readonly drawn: boolean,
 *   readonly shown: object | null, stats: () => Promise<Stats> }} View
 */

/** What the server is told of a picture: that somebody is there, by which rung, and what it was like. */
export class Heartbeats {
  #signal;
  #view;
  /** What the picture was like since the heartbeat before; set by whom looks. @type {() => Summary | null} */
  summary = () => null;
  /** The rung that the server knows of. @type {Rung | null} */
  #told = null;

  /** @param {Signal} signal @param {View} view */
  constructor(signal, view) {
    this.#signal = signal;
    this.#view = view;
  }

  start() {
    setInterval(() => void this.#beat(), EACH_MS);
  }

  /** A picture was drawn: that is told at once, waiting for no figures, and again with them. */
  first() {
    this.#tell();
    void this.#beat();
  }

  /**
   * The picture was looked at: another rung than was told is told at once, with what the one before was like.
   * @param {Rung} rung @param {Stats} stats @param {Summary | null} quality of the rung before
   */
  looked(rung, stats, quality) {
    if (rung === this.#told && !quality) return;
    this.#told = rung;
    this.#signal.heartbeat({ peer: this.#signal.peer, rung, stats, ...(quality ? { quality } : {}) });
  }

  async #beat() {
    if (this.#view.state === "over") return;
    this.#tell(this.#view.shown ? await this.#view.stats() : undefined);
  }

  /** @param {Stats} [stats] */
  #tell(stats) {
    const { rung, epoch, drawn } = this.#view;
    const seen = rung ? { rung, first_frame: drawn, ...(stats ? { stats } : {}) } : {};
    const quality = this.summary();
    this.#told = rung ?? this.#told;
    this.#signal.heartbeat({ peer: this.#signal.peer, ...(epoch ? { epoch } : {}), ...seen, ...(quality ? { quality } : {}) });
  }
}
