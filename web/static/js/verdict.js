import { median } from "./summary.js";

/** @import { Rung, Stats } from "../../types/model" */

/** Seconds that a verdict looks back. */
const LOOKED = 5;
/** From here on a person notices. */
const LOSSY = 0.03;
const SLOW_KBPS = 1000;
const FAR_MS = 200;
const UNEVEN_MS = 50;
const BUSY_MS = 100;
const SLOW_DECODE_MS = 25;
const UNDRAWN = 0.3;
const LATE_MS = 250;

/**
 * @typedef {{ level: "good" | "fair" | "poor" | "none", words: string }} Verdict
 * @typedef {{ rung: Rung | null, stats: Stats }} Second
 */

/**
 * How the picture fares, in plain words: the first of the things that are wrong, worst first.
 * @param {Second[]} seconds oldest first
 * @param {{ lost?: boolean, pinned?: boolean, decodes?: boolean }} [how] `pinned`: noVNC was asked for; `decodes`: not false
 *   where this browser takes the other rungs' picture
 * @returns {Verdict}
 */
export function verdict(seconds, how = {}) {
  const last = seconds.at(-1);
  if (!last?.rung) return { level: "none", words: "No picture yet" };
  if (how.lost) return { level: "poor", words: "The picture has stopped: connecting anew" };
  const same = seconds.slice(-LOOKED).filter((one) => one.rung === last.rung).map((one) => one.stats);
  const wrong = frozen(same) ?? ofNetwork(same) ?? ofComputers(same);
  if (wrong) return wrong;
  if (last.rung !== "vnc") return { level: "good", words: last.rung === "webrtc-relay" ? "Good, by a relay" : "Good" };
  if (how.pinned) return { level: "good", words: "By noVNC, as you chose" };
  return how.decodes === false
    ? { level: "fair", words: "By noVNC: this browser has no H.264 for the faster way" }
    : { level: "fair", words: "By noVNC: the faster way does not get through" };
}

/** @param {Stats[]} stats @returns {Verdict | null} */
function frozen(stats) {
  const ms = (stats.at(-1)?.frozen_ms ?? 0) - (stats[0]?.frozen_ms ?? 0);
  return ms > 0 ? { level: "poor", words: `The picture stood still for ${(ms / 1000).toFixed(1)} s` } : null;
}

/** @param {Stats[]} stats @returns {Verdict | null} */
function ofNetwork(stats) {
  const loss = mean(stats.map((one) => one.loss));
  if (loss > LOSSY) return { level: "poor", words: `The network loses packets: ${percent(loss)}` };
  const { target_kbps: target, cause } = stats.at(-1) ?? {};
  if (target != null && target < SLOW_KBPS && (cause === "loss" || cause === "delay")) {
    return { level: "fair", words: `The network is slow: ${Math.round(target)} kbit/s` };
  }
  const rtt = middle(stats.map((one) => one.rtt_ms));
  if (rtt > FAR_MS) return { level: "fair", words: `The way is long: ${Math.round(rtt)} ms there and back` };
  const jitter = middle(stats.map((one) => one.jitter_ms));
  if (jitter > UNEVEN_MS) return { level: "fair", words: `The network is uneven: ${Math.round(jitter)} ms` };
  return null;
}

/** @param {Stats[]} stats @returns {Verdict | null} */
function ofComputers(stats) {
  const undrawn = middle(stats.map((one) => one.undrawn));
  const decode = middle(stats.map((one) => one.decode_ms));
  if (undrawn > UNDRAWN || decode > SLOW_DECODE_MS) return { level: "fair", words: "This computer draws slowly" };
  const parts = stats.at(-1)?.latency;
  if (parts && parts.grab_ms + parts.send_ms > BUSY_MS) return { level: "fair", words: "The desktop's machine is busy" };
  const latency = middle(stats.map((one) => one.latency_ms));
  return latency > LATE_MS ? { level: "fair", words: `Answers come late: ${Math.round(latency)} ms` } : null;
}

/** @param {(number | null)[]} values */
function mean(values) {
  const told = values.filter((value) => value !== null);
  return told.length ? told.reduce((a, b) => a + b, 0) / told.length : 0;
}

/** @param {(number | null)[]} values */
function middle(values) {
  return median(values.filter((value) => value !== null)) ?? 0;
}

/** @param {number} part from 0 to 1 */
export function percent(part) {
  const value = part * 100;
  return `${value > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}
