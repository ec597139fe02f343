import { setText } from "./elements.js";

/** @import { Viewer } from "./viewer.js" */
/** @import { Rung } from "../../types/model" */

/** So long the page says that typed keys may be lost. */
const UNHEARD_MS = 6000;
const NOTE_MS = 6000;

/** @typedef {{ rung: Rung | null, state: string, reachable: boolean, signedOut: boolean, unheard: boolean, note?: string }} Standing */

/** What is said on the picture; nothing while all is well. @param {Standing} standing */
export function toastWords({ rung, state, reachable, signedOut, unheard, note = "" }) {
  if (note) return note;
  if (!rung) return "";
  if (signedOut) return "You have been signed out. The picture stays; open the dashboard to sign in again.";
  if (state === "lost") return "The connection broke. Reconnecting…";
  if (unheard) return "The connection changed. What you typed in the last moment may not have arrived.";
  if (reachable) return "";
  if (rung === "vnc") return "The server is away for a moment. noVNC comes through it: the picture may stand still.";
  return "The server is away for a moment. Your desktop goes on.";
}

/** The line on the picture that says what is wrong. */
export class Toast {
  /** The server let nobody in with this page's cookie any more. */
  signedOut = false;
  #viewer;
  #place;
  /** Until when typed keys may be lost, by performance.now(). */
  #unheardUntil = 0;
  /** What is said for a while, whatever else there is. */
  #note = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #noted;

  /** @param {Viewer} viewer @param {HTMLElement} place */
  constructor(viewer, place) {
    this.#viewer = viewer;
    this.#place = place;
    viewer.on("unheard", () => {
      this.#unheardUntil = performance.now() + UNHEARD_MS;
      setTimeout(() => this.show(), UNHEARD_MS + 50);
      this.show();
    });
    viewer.on("changed", () => this.show());
  }

  /** Say something for a while. @param {string} text @param {number} [ms] */
  note(text, ms = NOTE_MS) {
    clearTimeout(this.#noted);
    this.#note = text;
    this.#noted = setTimeout(() => {
      this.#note = "";
      this.show();
    }, ms);
    this.show();
  }

  show() {
    const { rung, state, reachable } = this.#viewer;
    const unheard = performance.now() < this.#unheardUntil;
    this.say(toastWords({ rung, state, reachable, signedOut: this.signedOut, unheard, note: this.#note }));
  }

  /** @param {string} text */
  say(text) {
    this.#place.hidden = !text;
    setText(this.#place, text);
  }
}
