/** @import { CandidateKind, Stats, Target, Transport } from "../../types/model" */

/**
 * One look at a running connection; counters only rise. `null` is what this rung cannot measure.
 * @typedef {{ at: number, frames: number, bytes: number, width: number, height: number, rttMs: number | null,
 *   jitterMs: number | null, lost: number | null, received: number | null } & Partial<More>} Sample
 * @typedef {{ decoded: number | null, decodeMs: number | null, freezes: { count: number, ms: number } | null,
 *   local: CandidateKind | null, remote: CandidateKind | null, transport: Transport | null, decoder: string | null,
 *   target: Target, latency: Latest | null }} More
 * @typedef {{ ms: number, act_ms: number, grab_ms: number, send_ms: number, rest_ms: number }} Latest
 */

const CANDIDATES = ["host", "srflx", "prflx", "relay"];
const TRANSPORTS = ["udp", "tcp", "tls"];
const CAUSES = ["start", "loss", "delay", "probe", "limit"];
const MOST_KBPS = 1_000_000;
/** Frames decoded between two looks from which the part that was not drawn says something. */
const ENOUGH_FRAMES = 5;

/** @type {Target} */
const NO_TARGET = Object.freeze({ target_kbps: null, target_fps: null, scale: null, cause: null });

/** @type {Stats} */
export const NO_STATS = Object.freeze({
  ...{ fps: 0, kbps: 0, rtt_ms: null, jitter_ms: null, loss: null, frames: 0, width: 0, height: 0 },
  ...{ undrawn: null, decode_ms: null, freezes: null, frozen_ms: null },
  ...{ local: null, remote: null, transport: null, decoder: null, ...NO_TARGET, latency_ms: null, latency: null },
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
    ...drawing(older, newer),
    freezes: newer.freezes?.count ?? null,
    frozen_ms: newer.freezes?.ms ?? null,
    local: newer.local ?? null,
    remote: newer.remote ?? null,
    transport: newer.transport ?? null,
    decoder: newer.decoder ?? null,
    ...(newer.target ?? NO_TARGET),
    ...latencyOf(newer.latency ?? null),
  };
}

/** @param {Sample} older @param {Sample} newer */
function lossBetween(older, newer) {
  if (newer.lost === null || newer.received === null) return null;
  const lost = Math.max(newer.lost - (older.lost ?? 0), 0);
  const received = Math.max(newer.received - (older.received ?? 0), 0);
  return lost + received > 0 ? Math.round((lost / (lost + received)) * 10_000) / 10_000 : 0;
}

/** What decoding one frame took, and which part of the decoded frames was not drawn. @param {Sample} older @param {Sample} newer */
function drawing(older, newer) {
  const decoded = (newer.decoded ?? 0) - (older.decoded ?? 0);
  const ms = (newer.decodeMs ?? 0) - (older.decodeMs ?? 0);
  if (newer.decoded == null || older.decoded == null || decoded < ENOUGH_FRAMES) return { undrawn: null, decode_ms: null };
  const undrawn = Math.min(Math.max(decoded - (newer.frames - older.frames), 0) / decoded, 1);
  return { undrawn: Math.round(undrawn * 100) / 100, decode_ms: round(Math.max(ms, 0) / decoded) };
}

/** @param {Latest | null} latest */
function latencyOf(latest) {
  if (!latest) return { latency_ms: null, latency: null };
  const { ms, ...parts } = latest;
  return { latency_ms: ms, latency: parts };
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
  const remote = all.find((one) => one["id"] === pair?.["remoteCandidateId"]);
  // The door rewrites nothing, so the guest names its own inner socket as the address it sees: such a pair shows
  // as peer-reflexive even behind a TURN server, and only `relayProtocol` tells that there is one.
  const relay = local?.["candidateType"] === "relay" || typeof local?.["relayProtocol"] === "string";
  const decoder = String(video?.["decoderImplementation"] ?? "").replace(/[^ -~]/g, "").slice(0, 64);
  return {
    bytes: (video?.["bytesReceived"] ?? 0) + (video?.["headerBytesReceived"] ?? 0),
    rttMs: pair?.["currentRoundTripTime"] === undefined ? null : pair["currentRoundTripTime"] * 1000,
    jitterMs: video?.["jitter"] === undefined ? null : video["jitter"] * 1000,
    lost: video?.["packetsLost"] ?? null,
    received: video?.["packetsReceived"] ?? null,
    decoded: video?.["framesDecoded"] ?? null,
    decodeMs: video?.["totalDecodeTime"] === undefined ? null : video["totalDecodeTime"] * 1000,
    decoder: decoder || null,
    local: relay ? /** @type {const} */ ("relay") : oneOf(CANDIDATES, local?.["candidateType"]),
    remote: oneOf(CANDIDATES, remote?.["candidateType"]),
    transport: oneOf(TRANSPORTS, local?.["relayProtocol"] ?? local?.["protocol"]),
    relay,
    arrived: {
      bytes: video?.["bytesReceived"] ?? 0,
      lost: video?.["packetsLost"] ?? 0,
      asked: (video?.["nackCount"] ?? 0) + (video?.["pliCount"] ?? 0),
      dropped: video?.["framesDropped"] ?? 0,
    },
  };
}

/**
 * What the guest aims at, from its `["rate", kbps, fps, scale, cause]`; null when that is none.
 * @param {unknown[]} message
 * @returns {Target | null}
 */
export function readTarget([tag, kbps, fps, scale, cause]) {
  const known = typeof cause === "string" && CAUSES.includes(cause);
  if (tag !== "rate" || !known || !within(kbps, MOST_KBPS) || !within(fps, 1000) || !within(scale, 100)) return null;
  return { target_kbps: kbps, target_fps: fps, scale, cause: /** @type {Target["cause"]} */ (cause) };
}

/** @param {unknown} value @param {number} most @returns {value is number} */
function within(value, most) {
  return typeof value === "number" && value >= 0 && value <= most;
}

/** @param {string[]} known @param {unknown} word @returns {any} the word, or null */
function oneOf(known, word) {
  return known.includes(/** @type {string} */ (word)) ? word : null;
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
