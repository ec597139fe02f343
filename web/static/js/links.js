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
  /** What is shown of each link, by its id. @type {Map<string, { row: HTMLElement, word: HTMLElement }>} */
  #rows = new Map();
  #fresh = make("div", { class: "fresh-link", hidden: true });
  /** The id of the link whose address is shown. */
  #freshOne = "";
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
      this.#show(links.filter(({ over }) => !over));
    });
  }

  /** Each keeps its row while it lives, and the row what has the focus. @param {SessionLink[]} links */
  #show(links) {
    for (const [id, { row }] of this.#rows) {
      if (links.some((link) => link.id === id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    for (const link of links) {
      const known = this.#rows.get(link.id) ?? this.#row(link);
      setText(known.word, wordsOf(link));
      if (!known.row.parentElement) this.#list.append(known.row);
      this.#rows.set(link.id, known);
    }
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
      this.#freshOne = link.id;
      this.#fresh.hidden = false;
      await this.refresh();
    });
  }

  /** @param {SessionLink} link */
  #row(link) {
    const end = make("button", { type: "button", class: "danger" }, "Withdraw");
    end.addEventListener("click", () => void this.#withdraw(link));
    const word = make("span", { class: "muted small" });
    return { row: make("li", {}, make("strong", {}, link.label || "Guest"), word, end), word };
  }

  /** @param {SessionLink} link */
  async #withdraw(link) {
    await this.#try(async () => {
      await remove(`${this.#url}/${link.id}`);
      // the address of another is shown nowhere else
      if (link.id === this.#freshOne) this.#fresh.hidden = true;
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

/** @param {SessionLink} link */
function wordsOf({ kind, expires_at: at }) {
  const left = at === null ? "until the session ends" : `${about(at - Date.now())} left`;
  return `${kind === "ask" ? "may ask" : "watches"}, ${left}`;
}

/** @param {string} id @param {(string | number)[][]} options label and value */
function choice(id, options) {
  return make("select", { id }, ...options.map(([label, value]) => make("option", { value: `${value}` }, `${label}`)));
}
