/** @import { Stats } from "../../types/model" */

/**
 * One look at a running connection; counters only rise. `null` is what this rung cannot measure.
 * @typedef {{ at: number, frames: number, bytes: number, width: number, height: number, rttMs: number | null,
 *   jitterMs: number | null, lost: number | null, received: number | null }} Sample
 */

/** @type {Stats} */
export const NO_STATS = Object.freeze({
  fps: 0, kbps: 0, rtt_ms: null, jitter_ms: null, loss: null, frames: 0, width: 0, height: 0,
});

/**
 * What happened between two looks: frames and kbit a second, loss from 0 to 1.
 * @param {Sample} older
 * @param {Sample} newer
 * @returns {Stats}
 */
export function between(older, newer) {
  const seconds = (newer.at - older.at) / 1000;
  const rate = (/** @type {number} */ rise) => (seconds > 0 ? Math.max(rise, 0) / seconds : 0);
  return {
    fps: round(rate(newer.frames - older.frames)),
    kbps: round((rate(newer.bytes - older.bytes) * 8) / 1000),
    rtt_ms: newer.rttMs === null ? null : round(newer.rttMs),
    jitter_ms: newer.jitterMs === null ? null : round(newer.jitterMs),
    loss: lossBetween(older, newer),
    frames: newer.frames,
    width: newer.width,
    height: newer.height,
  };
}

/** @param {Sample} older @param {Sample} newer */
function lossBetween(older, newer) {
  if (newer.lost === null || newer.received === null) return null;
  const lost = Math.max(newer.lost - (older.lost ?? 0), 0);
  const received = Math.max(newer.received - (older.received ?? 0), 0);
  return lost + received > 0 ? Math.round((lost / (lost + received)) * 10_000) / 10_000 : 0;
}

/**
 * Read what we count from a peer connection's report.
 * @param {Iterable<Record<string, any>>} report values of an RTCStatsReport
 */
export function readReport(report) {
  const all = [...report];
  const video = all.find((one) => one["type"] === "inbound-rtp" && one["kind"] === "video");
  const transport = all.find((one) => one["type"] === "transport" && one["selectedCandidatePairId"]);
  const pair = all.find((one) => one["id"] === transport?.["selectedCandidatePairId"]);
  const local = all.find((one) => one["id"] === pair?.["localCandidateId"]);
  return {
    bytes: (video?.["bytesReceived"] ?? 0) + (video?.["headerBytesReceived"] ?? 0),
    rttMs: pair?.["currentRoundTripTime"] === undefined ? null : pair["currentRoundTripTime"] * 1000,
    jitterMs: video?.["jitter"] === undefined ? null : video["jitter"] * 1000,
    lost: video?.["packetsLost"] ?? null,
    received: video?.["packetsReceived"] ?? null,
    // The door rewrites nothing, so the guest names its own inner socket as the address it sees: such a pair shows
    // as peer-reflexive even behind a TURN server, and only `relayProtocol` tells that there is one.
    relay: local?.["candidateType"] === "relay" || typeof local?.["relayProtocol"] === "string",
  };
}

/** A few seconds of samples, so that a rate is over at least `leastMs`. */
export class Recent {
  /** @type {Sample[]} */
  #samples = [];
  #leastMs;

  /** @param {number} [leastMs] */
  constructor(leastMs = 800) {
    this.#leastMs = leastMs;
  }

  /** @param {Sample} sample @returns {Stats} since the newest sample that is old enough */
  add(sample) {
    const old = this.#samples.filter((one) => sample.at - one.at >= this.#leastMs);
    const from = old.at(-1) ?? this.#samples[0] ?? sample;
    this.#samples = [...this.#samples, sample].filter((one) => one === from || one.at >= from.at);
    return between(from, sample);
  }
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
