import { get, post } from "./api.js";
import { byId, make, setText } from "./elements.js";

/** @import { OwnExit } from "../../types/model" */
/** @typedef {(error: unknown) => void} Complain */

/** Where one leaves, in a sentence. @param {OwnExit} own */
export function leaves(own) {
  if (own.kind === "none") return own.word || "Your desktops have no way out to the internet.";
  if (own.address) return `You leave by ${own.address}`;
  return own.kind === "direct" ? "You leave by this server's own address" : "Your exit's address is being measured";
}

/** What should be known besides, or nothing. @param {OwnExit} own */
export function remark(own) {
  if (own.kind !== "upstream") return "";
  if (own.word) return own.word;
  return own.state === "quarantined" || own.state === "dead" ? "Your exit does not answer at the moment." : "";
}

/** How the line looks. @param {OwnExit} own @returns {"good" | "warn" | "none"} */
export function look(own) {
  if (own.kind === "none") return "none";
  return remark(own) || own.asked ? "warn" : "good";
}

/** Bytes for people. @param {number} bytes */
export function amount(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/**
 * Keeps the line #exit in step: what one leaves by, what changed, and the question whether to move.
 * @param {Complain} complain
 */
export class ExitLine {
  /** @param {Complain} complain */
  constructor(complain) {
    this.complain = complain;
    /** @type {OwnExit | null} */
    this.own = null;
  }

  /** Ask the server and show it; an answer that says no leaves what is shown. */
  async refresh() {
    this.show(await get("/api/exit"));
  }

  /** What the session's events say has no sums: those that are known stay. @param {OwnExit} own */
  show(own) {
    this.own = { ...this.own, ...own };
    this.#draw();
  }

  #draw() {
    const own = this.own;
    if (!own) return;
    const line = byId("exit");
    line.hidden = false;
    line.dataset["look"] = look(own);
    setText(byId("exit-address"), leaves(own));
    const moved = (own.bytes_up ?? 0) + (own.bytes_down ?? 0);
    setText(byId("exit-moved"), moved ? `${amount(own.bytes_down ?? 0)} in, ${amount(own.bytes_up ?? 0)} out` : "");
    setText(byId("exit-word"), remark(own));
    byId("exit-word").hidden = !remark(own);
    const actions = this.#actions(own);
    const place = byId("exit-actions");
    const names = actions.map((button) => button.textContent).join();
    if (place.dataset["names"] === names) return;
    place.dataset["names"] = names;
    place.replaceChildren(...actions);
  }

  /** @param {OwnExit} own */
  #actions(own) {
    const actions = [];
    if (own.asked) actions.push(this.#button("Move to another exit", () => post("/api/exit/move", {}), "primary"));
    else if (own.word && own.kind === "upstream") actions.push(this.#button("All right", () => post("/api/exit/seen", {})));
    if (own.kind === "upstream") actions.push(this.#button("Measure again", () => post("/api/exit/check", {})));
    return actions;
  }

  /** @param {string} label @param {() => Promise<unknown>} act @param {string} [style] */
  #button(label, act, style = "quiet") {
    const button = make("button", { type: "button", class: style }, label);
    button.addEventListener("click", () => {
      button.disabled = true;
      act()
        .then(() => this.refresh())
        .catch(this.complain)
        .finally(() => (button.disabled = false));
    });
    return button;
  }
}
