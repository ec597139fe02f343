import { percent } from "./verdict.js";

/** @import { Rung, Stats } from "../../types/model" */

/** @type {Record<Rung, string>} */
export const RUNG_NAMES = { webrtc: "WebRTC", "webrtc-relay": "WebRTC by relay", vnc: "noVNC" };
const KINDS = { host: "direct", srflx: "direct", prflx: "direct", relay: "by a TURN server" };

/**
 * A figure that is drawn: its name, how it is found and written. `least` is the smallest top of its drawing, so that
 * noise stays small.
 * @typedef {{ name: string, of: (stats: Stats) => number | null, write: (value: number) => string, least: number }} Line
 */

/** @type {Line[]} */
export const LINES = [
  { name: "Input to picture", of: (stats) => stats.latency_ms, write: milliseconds, least: 100 },
  { name: "Frames", of: ({ fps }) => fps, write: (fps) => `${Math.round(fps)} fps`, least: 30 },
  { name: "Bitrate", of: ({ kbps }) => kbps, write: kilobits, least: 500 },
  { name: "Loss", of: ({ loss }) => loss, write: percent, least: 0.05 },
  { name: "Jitter", of: (stats) => stats.jitter_ms, write: milliseconds, least: 20 },
  { name: "Round trip", of: (stats) => stats.rtt_ms, write: milliseconds, least: 50 },
];

/** @param {number} ms */
export function milliseconds(ms) {
  return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;
}

/** @param {number} kbps */
export function kilobits(kbps) {
  return kbps >= 10_000 ? `${(kbps / 1000).toFixed(1)} Mbit/s` : `${Math.round(kbps)} kbit/s`;
}

/**
 * What is said and not drawn.
 * @param {Rung} rung
 * @param {Stats} stats
 * @returns {[string, string][]}
 */
export function facts(rung, stats) {
  const way = stats.local ? `${KINDS[stats.local]}, ${(stats.transport ?? "udp").toUpperCase()}` : "over a WebSocket";
  /** @type {[string, string][]} */
  const found = [["Connection", `${RUNG_NAMES[rung]}, ${way}`]];
  if (stats.local) found.push(["Candidates", `${stats.local} to ${stats.remote ?? "unknown"}`]);
  if (stats.freezes !== null) found.push(["Freezes", freezes(stats.freezes, stats.frozen_ms ?? 0)]);
  if (stats.latency) found.push(["Of the latency", parts(stats.latency)]);
  if (stats.target_kbps !== null) found.push(["The desktop sends", aim(stats)]);
  if (stats.width) found.push(["Size", `${stats.width} × ${stats.height}`]);
  if (stats.decoder) found.push(["Decoder", decoder(stats)]);
  return found;
}

const CAUSES = { start: "as at the start", loss: "for packets were lost", delay: "for packets came late", probe: "trying more", limit: "its most" };

/** @param {Stats} stats */
function aim({ target_kbps: kbps, target_fps: fps, scale, cause }) {
  const smaller = scale !== null && scale < 100 ? `, scaled to ${Math.round(scale)} %` : "";
  const why = cause ? `, ${CAUSES[cause]}` : "";
  return `at most ${kilobits(kbps ?? 0)}, ${Math.round(fps ?? 0)} fps${smaller}${why}`;
}

/** @param {number} count @param {number} ms */
export function freezes(count, ms) {
  return count ? `${count}, ${(ms / 1000).toFixed(1)} s in all` : "none";
}

/** @param {NonNullable<Stats["latency"]>} latency */
function parts({ act_ms: act, grab_ms: grab, send_ms: send, rest_ms: rest }) {
  const [a, b, c, d] = [act, grab, send, rest].map((ms) => Math.round(ms));
  return `desktop ${a}, grab ${b}, encoder ${c}, way and drawing ${d} ms`;
}

/** @param {Stats} stats */
function decoder({ decoder: name, decode_ms: ms }) {
  return ms === null ? `${name}` : `${name}, ${milliseconds(ms)} a frame`;
}
