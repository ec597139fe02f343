import { make, setText } from "./elements.js";

/** @import { Viewer } from "./viewer.js" */
/** @import { Seat } from "../../types/model" */

const KINDS = { owner: "owner", ask: "guest", view: "watches only" };

/** The panel of who watches and who drives, and the line on the picture for one who only watches, or is asked. */
export class ViewersPanel {
  #viewer;
  #place;
  #banner;
  #list = make("ul", { class: "viewers" });
  #deeds = make("div", { class: "actions" });
  /** What is shown now: nothing is made anew, and no button loses the focus, while it stays so. */
  #shown = "";

  /** @param {Viewer} viewer @param {HTMLElement} place an empty section @param {HTMLElement} banner an empty line on the picture */
  constructor(viewer, place, banner) {
    this.#viewer = viewer;
    this.#place = place;
    this.#banner = banner;
    place.setAttribute("aria-labelledby", "viewers-title");
    place.append(make("h2", { id: "viewers-title" }, "Viewers"), this.#list, this.#deeds);
    viewer.on("seats", () => this.#show());
    viewer.on("changed", () => this.#show());
    this.#show();
  }

  #show() {
    const { seats, state } = this.#viewer;
    const shown = JSON.stringify([seats.viewers, seats.own?.peer, state === "over"]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const over = state === "over";
    const viewers = seats.own ? [seats.own, ...seats.others] : seats.others;
    this.#list.replaceChildren(...viewers.map((seat) => this.#row(seat)));
    this.#place.hidden = over;
    this.#deeds.replaceChildren(...(over ? [] : this.#own()));
    this.#showBanner(over);
  }

  /** @param {Seat} seat */
  #row(seat) {
    const you = seat === this.#viewer.seats.own;
    const words = seat.asks ? "asks to drive" : KINDS[seat.kind];
    const row = make("li", {}, make("strong", {}, you ? `${seat.name || "Guest"} (you)` : seat.name || "Guest"));
    row.append(make("span", { class: "muted small" }, words));
    if (seat.drives) row.append(make("span", { class: "badge small", "data-state": "live" }, "drives"));
    if (!you && this.#decides() && seat.kind !== "view" && !seat.drives) row.append(...this.#answers(seat));
    return row;
  }

  /** @param {Seat} seat */
  #answers(seat) {
    const give = button(seat.asks ? "Give" : "Let drive", () => this.#viewer.seat("give", seat.peer));
    return seat.asks ? [give, button("Not now", () => this.#viewer.seat("refuse", seat.peer))] : [give];
  }

  /** Whether this page may give the desktop away. */
  #decides() {
    const { own } = this.#viewer.seats;
    return Boolean(own && (own.drives || own.kind === "owner"));
  }

  /** What this page may do about its own seat. */
  #own() {
    const { own, driver } = this.#viewer.seats;
    if (!own || own.drives || own.kind === "view") return [];
    if (own.kind === "owner") return [button("Take the keyboard", () => this.#viewer.seat("take"))];
    const ask = button(own.asks ? "Asked" : "Ask to drive", () => this.#viewer.seat("request"));
    ask.disabled = own.asks;
    ask.title = driver ? `${driver.name || "Guest"} drives now` : "The owner decides";
    return [ask];
  }

  /** @param {boolean} over */
  #showBanner(over) {
    const { own, others } = this.#viewer.seats;
    const asking = this.#decides() ? others.find(({ asks }) => asks) : undefined;
    this.#banner.hidden = over || !own || (own.drives && !asking);
    if (this.#banner.hidden) return this.#banner.replaceChildren();
    const text = make("span", { role: "status" });
    setText(text, asking ? `${asking.name || "Guest"} asks to drive.` : "You are watching.");
    this.#banner.replaceChildren(text, ...(asking ? this.#answers(asking) : this.#own()));
  }
}

/** @param {string} label @param {() => void} act */
function button(label, act) {
  return make("button", { type: "button", onclick: act }, label);
}
