/** @import { Session, Signin, Stage, Stats } from "../../types/model" */

/** @type {readonly Stage[]} in the order they are reached; `claimed` is for machines of the warm pool alone */
export const STAGES = Object.freeze([
  "accepted", "machine", "guest", "display", "desktop", "browser", "ready", "first_frame",
]);

/** @type {Readonly<Record<Stage, string>>} */
export const STAGE_NAMES = Object.freeze({
  accepted: "Request accepted",
  machine: "Machine made",
  claimed: "Machine yours",
  guest: "Guest answers",
  display: "Display up",
  desktop: "Desktop up",
  browser: "Browser started",
  ready: "Desktop ready",
  first_frame: "Picture on your screen",
});

const ENDINGS = /** @type {Record<string, string>} */ ({
  stopped: "It was ended from here or from the dashboard.",
  expired: "It reached the end of its allowed time.",
  idle: "Nobody had been watching for a while.",
  create_failed: "The machine could not be made.",
  boot_timeout: "The machine did not start in time.",
  state_timeout: "A step took too long.",
  machine_gone: "The machine stopped unexpectedly.",
  guest_failed: "The desktop inside the machine failed.",
});

/** Who came by a link has no dashboard, and did not make the machine. */
const GUESTS_ENDINGS = /** @type {Record<string, string>} */ ({
  stopped: "Whoever it belongs to ended it.",
  idle: "Nobody had been using it for a while.",
});

/**
 * The stages as they came, then those still to come: machines reach them in their own order.
 * @param {Session["timeline"]} timeline
 */
export function inOrder(timeline) {
  /** @type {Stage[]} */
  const stages = timeline.claimed === undefined ? [...STAGES] : [...STAGES, "claimed"];
  return stages.sort((a, b) => (timeline[a] ?? Infinity) - (timeline[b] ?? Infinity) || 0);
}

/** Why a session is over, as a sentence. @param {string | null} reason */
export function endingOf(reason) {
  return ENDINGS[reason ?? ""] ?? "It is over.";
}

/** The same for who came by a link. @param {string | null} reason */
export function guestsEndingOf(reason) {
  return GUESTS_ENDINGS[reason ?? ""] ?? endingOf(reason);
}

/** @param {Session} session */
export function isOver(session) {
  return session.state === "ended" || session.state === "failed";
}

/** Whether nobody is answered in it any more, as far as is known. @param {{ state: string } | null | undefined} session */
export function isClosed(session) {
  return ["stopping", "ended", "failed"].includes(session?.state ?? "");
}

/** @param {number} ms a span, such as 840 or 12340 */
export function span(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** How long until or since, in the coarsest unit that is still useful. @param {number} ms */
export function about(ms) {
  const units = /** @type {const} */ ([["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000]]);
  for (const [name, size] of units) {
    const count = Math.floor(Math.abs(ms) / size);
    if (count >= 1) return `${count} ${name}${count > 1 ? "s" : ""}`;
  }
  return "less than a minute";
}

/** @param {number | null} at Unix ms @param {string} [locale] */
export function moment(at, locale) {
  if (at === null) return "no end known";
  return new Date(at).toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" });
}

/** @param {Stats} stats */
export function statsLine(stats) {
  const parts = [`${Math.round(stats.fps)} fps`, rateOf(stats.kbps)];
  if (stats.rtt_ms !== null) parts.push(`${stats.rtt_ms < 10 ? stats.rtt_ms : Math.round(stats.rtt_ms)} ms`);
  if (stats.width) parts.push(`${stats.width} × ${stats.height}`);
  return parts.join(" · ");
}

/** @param {number} kbps */
function rateOf(kbps) {
  return kbps >= 10_000 ? `${(kbps / 1000).toFixed(1)} Mbit/s` : `${Math.round(kbps)} kbit/s`;
}

const SIGNIN_WORDS = /** @type {Record<string, string>} */ ({
  pending: "Waits for the desktop",
  starting: "Starting the tool",
  waiting: "Your turn: sign in on the desktop",
  saving: "Sealing the credential",
  done: "Signed in and saved",
  failed: "The sign-in failed",
  cancelled: "The sign-in was cancelled",
});

/** @param {Signin} signin */
export function signinWords(signin) {
  return SIGNIN_WORDS[signin.stage] ?? signin.stage;
}

/** A link that may be shown as one: only http and https. @param {string | null} url */
export function safeUrl(url) {
  if (!url) return null;
  try {
    const { protocol } = new URL(url);
    return protocol === "https:" || protocol === "http:" ? url : null;
  } catch {
    return null;
  }
}

/** The dashboard's part of a session id that tells it from others. @param {string} id */
export function shortId(id) {
  return id.replace(/^ses_/, "").slice(0, 6);
}
