/** @import { Rung, Stats, Summary } from "../../types/model" */

/** Seconds of samples that are kept without being asked for; more is of no use to anybody. */
const MOST_S = 60;
const MOST_LATENCIES = 64;

/** Sums up some seconds on one rung for the heartbeat: medians, least and most, what was counted. */
export class Seconds {
  /** @type {{ at: number, stats: Stats }[]} */
  #samples = [];
  /** @type {Rung | null} */
  #rung = null;
  /** @type {{ freezes: number, frozen: number }} counted when the last summary was taken */
  #base = { freezes: 0, frozen: 0 };
  #frames = 0;
  /** @type {number[]} */
  #latencies = [];

  /**
   * @param {number} at milliseconds of a steady clock
   * @param {Rung} rung
   * @param {Stats} stats
   * @returns {Summary | null} of the rung before, when this is another one
   */
  add(at, rung, stats) {
    const before = rung === this.#rung ? null : this.take();
    this.#rung = rung;
    // Counters that fall belong to another connection.
    if (before || stats.frames < this.#frames) this.#base = { freezes: 0, frozen: 0 };
    this.#frames = stats.frames;
    this.#samples = [...this.#samples, { at, stats }].slice(-MOST_S);
    return before;
  }

  /** An input's picture was seen. @param {number} ms */
  latency(ms) {
    this.#latencies = [...this.#latencies, ms].slice(-MOST_LATENCIES);
  }

  /** @returns {Summary | null} of the seconds since the last one; null without any */
  take() {
    const samples = this.#samples;
    const [first, last] = [samples[0], samples.at(-1)];
    if (!first || !last || !this.#rung) return null;
    const summary = summaryOf(this.#rung, samples.map(({ stats }) => stats), (last.at - first.at) / 1000 + 1);
    const { freezes, frozen_ms: frozen } = last.stats;
    if (freezes !== null && frozen !== null) {
      summary.freezes = Math.max(freezes - this.#base.freezes, 0);
      // A computer that slept stood still for longer than it tells of.
      summary.frozen_ms = Math.min(Math.max(frozen - this.#base.frozen, 0), summary.seconds * 1000);
      this.#base = { freezes, frozen };
    }
    if (this.#latencies.length) summary.latencies_ms = this.#latencies;
    this.#samples = [];
    this.#latencies = [];
    return summary;
  }
}

/** @param {Rung} rung @param {Stats[]} samples @param {number} seconds @returns {Summary} */
function summaryOf(rung, samples, seconds) {
  const last = /** @type {Stats} */ (samples.at(-1));
  const fps = samples.map((one) => one.fps);
  const kbps = samples.map((one) => one.kbps);
  const rtt = known(samples, "rtt_ms");
  const jitter = known(samples, "jitter_ms");
  /** @type {Record<string, unknown>} */
  const all = {
    seconds: Math.min(Math.round(seconds * 10) / 10, 120),
    rung,
    fps: median(fps), fps_least: Math.min(...fps), fps_most: Math.max(...fps),
    kbps: median(kbps), kbps_least: Math.min(...kbps), kbps_most: Math.max(...kbps),
    rtt_ms: median(rtt), rtt_most_ms: most(rtt),
    jitter_ms: median(jitter), jitter_most_ms: most(jitter),
    loss: lossOf(samples),
    target_kbps: last.target_kbps, scale: last.scale,
    local: last.local, remote: last.remote, transport: last.transport, cause: last.cause,
  };
  return /** @type {Summary} */ (Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)));
}

/** @param {Stats[]} samples @param {"rtt_ms" | "jitter_ms"} name */
function known(samples, name) {
  return samples.map((one) => one[name]).filter((value) => value !== null);
}

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}

/** @param {number[]} values */
function most(values) {
  return values.length ? Math.max(...values) : null;
}

/** A busy second weighs more: it carried more packets. @param {Stats[]} samples */
function lossOf(samples) {
  const told = samples.filter((one) => one.loss !== null);
  if (!told.length) return null;
  const weights = told.map((one) => one.kbps + 1);
  const sum = told.reduce((lost, one, n) => lost + (one.loss ?? 0) * (weights[n] ?? 0), 0);
  return Math.round((sum / weights.reduce((a, b) => a + b, 0)) * 10_000) / 10_000;
}
