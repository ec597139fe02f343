import { ApiError, get, post, remove } from "./api.js";
import { copyFrom, make, setText } from "./elements.js";
import { about } from "./format.js";

/** @import { SessionLink } from "../../types/model" */

const LIFETIMES = [["15 minutes", 900], ["1 hour", 3600], ["Until the session ends", 0]];
const REFRESH_MS = 10_000;

/** Below the viewers: the links that let others in, for the session's owner. */
export class LinksPanel {
  #url;
  #more;
  #list = make("ul", { class: "viewers" });
  #fresh = make("div", { class: "fresh-link", hidden: true });
  #word = make("p", { class: "muted small", role: "status" });
  #kind = choice("link-kind", [["Watch only", "view"], ["Watch, and ask to drive", "ask"]]);
  #seconds = choice("link-seconds", LIFETIMES);
  #label = make("input", { id: "link-label", maxlength: "64", placeholder: "Guest", autocomplete: "off" });

  /** @param {string} session @param {HTMLElement} place the section of the viewers */
  constructor(session, place) {
    this.#url = `/api/sessions/${session}/links`;
    const form = make("form", { class: "link-form" },
      make("label", { for: "link-label" }, "Name"), this.#label,
      make("label", { for: "link-kind" }, "May"), this.#kind,
      make("label", { for: "link-seconds" }, "For"), this.#seconds,
      make("button", { class: "primary" }, "Make a link"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#make();
    });
    this.#more = make("details", { class: "invite" }, make("summary", {}, "Invite somebody"), form, this.#fresh, this.#list, this.#word);
    this.#more.addEventListener("toggle", () => this.#more.open && void this.refresh());
    setInterval(() => this.#more.open && !document.hidden && void this.refresh(), REFRESH_MS);
    place.append(this.#more);
  }

  /** Ask which links there are. */
  async refresh() {
    await this.#try(async () => {
      const links = /** @type {SessionLink[]} */ (await get(this.#url));
      this.#list.replaceChildren(...links.filter(({ over }) => !over).map((link) => this.#row(link)));
    });
  }

  async #make() {
    const seconds = Number(this.#seconds.value);
    const wanted = { kind: this.#kind.value, label: this.#label.value.trim(), ...(seconds ? { seconds } : {}) };
    await this.#try(async () => {
      const link = /** @type {SessionLink} */ (await post(this.#url, wanted));
      const url = new URL(link.url ?? "", location.href).href;
      const field = make("input", { readonly: true, value: url, "aria-label": "The link", id: "fresh-link" });
      const copy = make("button", { type: "button" }, "Copy");
      copy.addEventListener("click", () => void copyFrom(copy, url));
      field.addEventListener("focus", () => field.select());
      this.#fresh.replaceChildren(make("p", { class: "small" }, "Shown this once. Whoever has it can use it."), field, copy);
      this.#fresh.hidden = false;
      await this.refresh();
    });
  }

  /** @param {SessionLink} link */
  #row(link) {
    const left = link.expires_at === null ? "until the session ends" : `${about(link.expires_at - Date.now())} left`;
    const may = link.kind === "ask" ? "may ask" : "watches";
    const end = make("button", { type: "button", class: "danger" }, "Withdraw");
    end.addEventListener("click", () => void this.#withdraw(link));
    return make("li", {}, make("strong", {}, link.label || "Guest"), make("span", { class: "muted small" }, `${may}, ${left}`), end);
  }

  /** @param {SessionLink} link */
  async #withdraw(link) {
    await this.#try(async () => {
      await remove(`${this.#url}/${link.id}`);
      this.#fresh.hidden = true;
      await this.refresh();
    });
  }

  /** @param {() => Promise<void>} act */
  async #try(act) {
    try {
      await act();
      setText(this.#word, "");
    } catch (error) {
      setText(this.#word, /** @type {ApiError} */ (error).message);
    }
  }
}

/** @param {string} id @param {(string | number)[][]} options label and value */
function choice(id, options) {
  return make("select", { id }, ...options.map(([label, value]) => make("option", { value: `${value}` }, `${label}`)));
}
