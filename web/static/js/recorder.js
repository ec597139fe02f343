import { ApiError, get, post } from "./api.js";
import { make, setText } from "./elements.js";
import { amount } from "./exit.js";

/** @import { Recorded } from "../../types/model" */
/** @import { Viewer } from "./viewer.js" */

const LOOK_MS = 2000;

/** What the header says, all the time, where there is room for some 34 letters beside its buttons. @param {Recorded["state"]} state @param {Recorded["why"]} why */
export function saying(state, why) {
  if (state === "on") return "This session is recorded";
  if (why === "full") return "Recording waits: the disk is full";
  if (why === "starting") return "Recording waits for the browser";
  if (why === "recorder") return "Recording waits for the desktop";
  if (why === "silent") return "Recording waits: browser is silent";
  return state === "paused" ? "Recording pauses while you sign in" : "";
}

/** The words in the header, with their dot. */
class Badge {
  #place;
  #text = make("span");

  /** @param {HTMLElement} place an empty badge */
  constructor(place) {
    this.#place = place;
    place.append(make("span", { class: "dot", "aria-hidden": "true" }), this.#text);
  }

  /** @param {Recorded["state"]} state @param {Recorded["why"]} why */
  show(state, why) {
    this.#place.hidden = state === "off";
    this.#place.dataset["record"] = state;
    setText(this.#text, saying(state, why));
  }
}

/**
 * Tell who came by a link that they watch what is recorded, for as long as there is something to watch.
 * @param {string} watched where the server says so @param {HTMLElement} place @param {Pick<Viewer, "on" | "state">} viewer
 */
export function tellRecorded(watched, place, viewer) {
  const badge = new Badge(place);
  const show = (/** @type {Pick<Recorded, "state" | "why">} */ { state, why }) => viewer.state === "over" || badge.show(state, why);
  const look = () => get(`${watched}/recording`).then(show, () => {});
  const looks = setInterval(() => document.hidden || void look(), LOOK_MS);
  viewer.on("changed", () => {
    if (viewer.state !== "over") return;
    clearInterval(looks);
    badge.show("off", null);
  });
  void look();
}

/**
 * Says whether the session is recorded, and lets its owner choose where the operator leaves that to them.
 */
export class RecorderPanel {
  #url;
  #place;
  #badge;
  #word = make("p", { class: "muted small", role: "status" });
  #choose = make("button", { type: "button" }, "");
  #see;
  /** @type {Recorded | null} */
  #now = null;
  #gone = false;
  #viewer;

  /**
   * @param {string} session @param {HTMLElement} place an empty section @param {HTMLElement} badge in the header
   * @param {Pick<Viewer, "on" | "session">} viewer
   */
  constructor(session, place, badge, viewer) {
    this.#url = `/api/sessions/${session}/recording`;
    this.#place = place;
    this.#viewer = viewer;
    this.#badge = new Badge(badge);
    this.#see = make("a", { class: "button", href: `/session/${session}/recording` }, "See the recording");
    this.#choose.addEventListener("click", () => void this.#chosen());
    const title = make("h2", { id: "recording-title" }, "Recording");
    place.setAttribute("aria-labelledby", "recording-title");
    place.append(title, this.#word, make("div", { class: "actions" }, this.#choose, this.#see));
    setInterval(() => document.hidden || void this.look(), LOOK_MS);
    let stage = viewer.session?.signin?.stage;
    viewer.on("changed", () => {
      // What a sign-in changes is said at once, and not at the next look.
      if (viewer.session?.signin?.stage === stage) return;
      stage = viewer.session?.signin?.stage;
      void this.look();
    });
    void this.look();
  }

  /** Ask how it is now. */
  async look() {
    if (this.#gone) return;
    try {
      this.#show(await get(`${this.#url}?list=false`));
    } catch (error) {
      // Not one's own, or gone for good: there is nothing to say.
      this.#gone = /** @type {ApiError} */ (error).status === 404;
      if (this.#gone) this.#place.hidden = true;
    }
  }

  /** @param {Recorded} now */
  #show(now) {
    this.#now = now;
    const { policy, state, why, bytes } = now;
    this.#badge.show(state, why);
    this.#place.hidden = nothingToSay(now, this.#viewer.session?.state);
    this.#see.hidden = !bytes;
    this.#choose.hidden = policy === "off" || (policy === "always" && (state !== "paused" || why !== null));
    setText(this.#choose, state === "off" ? "Record this session" : wanted(now) ? "Stop recording" : "Go on recording");
    setText(this.#word, words(now));
  }

  async #chosen() {
    this.#choose.disabled = true;
    try {
      this.#show(await post(this.#url, { on: !(this.#now && wanted(this.#now)) }));
    } catch (error) {
      setText(this.#word, /** @type {ApiError} */ (error).message);
    } finally {
      this.#choose.disabled = false;
    }
  }
}

/**
 * Nothing is kept, and nothing will be: it is never recorded, or the session is over.
 * @param {Pick<Recorded, "policy" | "bytes">} now @param {string | undefined} session its state
 */
export function nothingToSay({ policy, bytes }, session) {
  return !bytes && (policy === "off" || session === "ended" || session === "failed");
}

/** It is on, but for a page that is shown. @param {Recorded} now */
function wanted({ state, why }) {
  return state === "on" || why !== null;
}

/** @param {Recorded} now */
function words({ policy, state, why, unwatched, bytes }) {
  const kept = bytes ? ` ${amount(bytes)} are kept.` : "";
  if (why === "shown") return `It pauses while a page to sign in at is shown.${kept}`;
  if (why === "starting") return `It waits until the desktop's browser has started.${kept}`;
  if (why === "recorder") return `Nothing is recorded at this moment: it waits for the desktop's recorder.${kept}`;
  if (why === "silent") return `It pauses: the desktop's browser does not say which page it shows.${kept}`;
  if (why === "full") return `Nothing is recorded: the server's disk is full. It goes on when there is room.${kept}`;
  if (state === "paused") return `It pauses while you sign in, and after a sign-in that was not finished until you say.${kept}`;
  if (unwatched) return `The picture is recorded, pages that you sign in at by hand as well: nobody looks at the pages of this desktop's browser.${kept}`;
  if (state === "on") return `The picture is recorded for debugging while somebody watches it by WebRTC; of input only how much.${kept}`;
  if (policy === "always") return `It begins once the desktop is ready.${kept}`;
  return policy === "off" ? `Nothing is recorded now.${kept}` : `For debugging: picture, and how much was typed and clicked, not what.${kept}`;
}
