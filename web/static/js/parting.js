import { setText } from "./elements.js";

/** @import { Toast } from "./toast.js" */
/** @import { Viewer } from "./viewer.js" */

const LOOK_MS = 1000;
/** So long before the end it is said on the picture. */
const WARN_MS = 60_000;
const WARNING_MS = 15_000;

/**
 * When the picture ends for who came by a link, and in the last minute that it does so soon. Nothing while that is unknown.
 * @param {number | null} link Unix ms of the link's end; null: it lasts as long as the session
 * @param {number | null} session of the session's end
 * @param {number} now
 * @param {string} [locale]
 */
export function partingWords(link, session, now, locale) {
  const at = Math.min(link ?? Infinity, session ?? Infinity);
  if (!Number.isFinite(at) || at <= now) return { until: "", soon: "" };
  const what = at === link ? "This link" : "The session";
  const day = new Date(at).toDateString() === new Date(now).toDateString() ? {} : /** @type {const} */ ({ dateStyle: "medium" });
  const time = new Date(at).toLocaleString(locale, { ...day, timeStyle: "short" });
  const soon = at - now <= WARN_MS ? `${what} ends in less than a minute, and the picture with it.` : "";
  return { until: `${what} ends at ${time}.`, soon };
}

/**
 * Say when the picture ends: beside it, and once on it a minute before.
 * @param {Viewer} viewer @param {number | null} link @param {HTMLElement} place @param {Toast} toast
 */
export function tellParting(viewer, link, place, toast) {
  let warned = false;
  const look = () => {
    const { until, soon } = viewer.state === "over" ? { until: "", soon: "" } : partingWords(link, viewer.session?.expires_at ?? null, Date.now());
    place.hidden = !until;
    setText(place, until);
    if (soon && !warned) toast.note(soon, WARNING_MS);
    if (!soon && warned) toast.note("");
    warned = Boolean(soon);
  };
  setInterval(look, LOOK_MS);
  look();
}
