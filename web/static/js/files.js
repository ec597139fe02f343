import { ApiError, get, remove } from "./api.js";
import { make, setText } from "./elements.js";
import { amount } from "./exit.js";
import { download, plainName, underFreeName, upload, withPatience } from "./transfer.js";
import { Turns, oneAtATime } from "./turns.js";

/** @import { Transfer, Progress } from "./transfer.js" */
/** @import { DesktopFile, DesktopFiles } from "../../types/model" */

const AT_ONCE = 2;
const REFRESH_MS = 10_000;
/** A transfer that went well is shown as done for so long. */
const DONE_MS = 4000;

/**
 * The panel of the desktop's files, and the drop on its picture. What it shows of the guest is text.
 */
export class FilesPanel {
  #url;
  #place;
  #more;
  #list = make("ul", { class: "files" });
  #moving = make("ul", { class: "files" });
  #word = make("p", { class: "muted small", role: "status" });
  /** @type {DesktopFiles} */
  #rules = { policy: "off", most_bytes: 0, files: [], more: false };
  #turns = new Turns(AT_ONCE);
  /** Ask what is there now. */
  refresh = oneAtATime(() => this.#ask(""));
  #soon = 0;
  /** Names that are on their way. @type {Set<string>} */
  #coming = new Set();
  #over = false;

  /** @param {string} session @param {HTMLElement} place an empty section @param {HTMLElement} stage takes drops */
  constructor(session, place, stage) {
    this.#url = `/api/sessions/${session}/files`;
    this.#place = place;
    const pick = make("input", { type: "file", multiple: true, hidden: true, "aria-label": "Files for the desktop" });
    pick.addEventListener("change", () => {
      void this.add([...(pick.files ?? [])]);
      pick.value = "";
    });
    const add = make("button", { type: "button", onclick: () => pick.click() }, "Add files");
    this.#more = make("details", {}, make("summary", {}, make("h2", { id: "files-title" }, "Files")));
    this.#more.append(
      make("p", { class: "muted small" }, "What is in the desktop's folder ", make("code", {}, "~/Files"), ". Downloads of its browser land there too."),
      make("div", { class: "actions" }, add, pick),
      this.#moving,
      this.#list,
      this.#word,
    );
    this.#more.addEventListener("toggle", () => this.#more.open && void this.refresh());
    place.setAttribute("aria-labelledby", "files-title");
    place.append(this.#more);
    this.#takeDrops(stage);
    setInterval(() => this.#more.open && !document.hidden && !place.hidden && void this.refresh(), REFRESH_MS);
    void this.#ask("?list=false").then(() => (add.hidden = !this.#allows("up")));
  }

  /** Put files on the desktop. @param {File[]} files */
  async add(files) {
    if (!files.length) return;
    this.#more.open = true;
    await this.refresh();
    for (const file of files) {
      const name = this.#free(file.name);
      this.#coming.add(name);
      if (file.size > this.#rules.most_bytes) {
        this.#row(name, file.size).failed(`It is larger than ${amount(this.#rules.most_bytes)}, the most that travels.`);
        continue;
      }
      this.#move(name, file.size, (progress, renamed) =>
        underFreeName(
          (tried) => (tried.size ? renamed(this.#free(file.name, tried)) : name),
          (free) => withPatience(() => upload(this.#address(free), file, progress), () => progress(0)),
        ),
      );
    }
  }

  /** A name that nothing has as far as is known. @param {string} name @param {ReadonlySet<string>} [tried] */
  #free(name, tried = new Set()) {
    return plainName(name, new Set([...this.#rules.files.map((each) => each.name), ...this.#coming, ...tried]));
  }

  /** @param {string} query */
  async #ask(query) {
    if (this.#over) return;
    try {
      const found = /** @type {DesktopFiles} */ (await get(`${this.#url}${query}`));
      this.#rules = query ? { ...found, files: this.#rules.files } : found;
      this.#place.hidden = found.policy === "off";
      if (!query) this.#show();
    } catch (error) {
      const { status, message, retryAfterS } = /** @type {ApiError} */ (error);
      this.#over = status === 410 || status === 404;
      if (status === 429) this.#askIn(retryAfterS ?? 1);
      this.#place.hidden ||= this.#over;
      setText(this.#word, this.#over ? "" : message);
    }
  }

  /** @param {number} seconds */
  #askIn(seconds) {
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => void this.refresh(), seconds * 1000);
  }

  /** @param {"up" | "down"} way */
  #allows(way) {
    return this.#rules.policy === "both" || this.#rules.policy === way;
  }

  /** @param {string} name */
  #address(name) {
    return `${this.#url}/${encodeURIComponent(name)}`;
  }

  #show() {
    const { files, more } = this.#rules;
    // Whoever is on a button of the list by keyboard stays on it.
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["file"] : undefined;
    this.#list.replaceChildren(...files.map((file) => this.#entry(file)));
    if (focused) [...this.#list.querySelectorAll("button")].find((each) => each.dataset["file"] === focused)?.focus();
    const words = more ? "There is more in the folder, which cannot be shown here." : files.length ? "" : "There are no files yet.";
    setText(this.#word, words);
  }

  /** @param {DesktopFile} file */
  #entry({ name, size }) {
    const begin = (/** @type {Progress} */ progress) => withPatience(() => download(this.#address(name), name, progress));
    const save = button("Download", () => this.#move(name, size, begin), {
      "aria-label": `Download ${name}`,
      "data-file": `down ${name}`,
    });
    save.hidden = !this.#allows("down");
    const drop = button("Remove", () => void this.#remove(name), { "aria-label": `Remove ${name}`, "data-file": `drop ${name}` });
    return make("li", {}, make("span", { class: "file-name" }, name), make("span", { class: "muted small" }, amount(size)), save, drop);
  }

  /** @param {string} name */
  async #remove(name) {
    try {
      await remove(this.#address(name));
      await this.refresh();
    } catch (error) {
      setText(this.#word, /** @type {ApiError} */ (error).message);
    }
  }

  /** Let a transfer go when its turn comes. @param {string} name @param {number} size @param {(progress: Progress, renamed: (name: string) => string) => Transfer} begin */
  #move(name, size, begin) {
    const row = this.#row(name, size);
    const start = () => {
      const transfer = begin(row.moved, row.renamed);
      row.cancel = transfer.cancel;
      return transfer.done
        .then(row.done, (error) => (error.name === "AbortError" ? row.gone() : row.failed(error.message)))
        .finally(() => {
          this.#coming.delete(name);
          void this.refresh();
        });
    };
    row.cancel = () => {
      this.#turns.drop(start);
      this.#coming.delete(name);
      row.gone();
    };
    this.#turns.add(start);
  }

  /** A line for a transfer. @param {string} name @param {number} size */
  #row(name, size) {
    const bar = make("progress", { max: String(Math.max(1, size)), value: "0", "aria-label": name });
    const word = make("span", { class: "muted small", role: "status" }, amount(size));
    const stop = button("Cancel", () => row.cancel(), { "aria-label": `Cancel ${name}` });
    const title = make("span", { class: "file-name" }, name);
    const line = make("li", {}, title, word, bar, stop);
    const row = {
      cancel: () => line.remove(),
      /** @param {number} moved */
      moved: (moved) => void (bar.value = moved),
      /** @param {string} free */
      renamed: (free) => {
        setText(title, free);
        bar.setAttribute("aria-label", free);
        stop.setAttribute("aria-label", `Cancel ${free}`);
        return free;
      },
      gone: () => line.remove(),
      done: () => {
        bar.value = bar.max;
        setText(word, "Done");
        stop.remove();
        setTimeout(row.gone, DONE_MS);
      },
      /** @param {string} message */
      failed: (message) => {
        bar.remove();
        line.classList.add("failed");
        setText(word, message);
        setText(stop, "Close");
        stop.setAttribute("aria-label", `Close ${name}`);
        this.#coming.delete(name);
        row.cancel = row.gone;
      },
    };
    this.#moving.append(line);
    return row;
  }

  /** @param {HTMLElement} stage */
  #takeDrops(stage) {
    const target = make("div", { class: "drop", hidden: true }, make("p", {}, "Drop files here to put them on the desktop"));
    stage.append(target);
    const carries = (/** @type {DragEvent} */ event) => Boolean(event.dataTransfer?.types.includes("Files"));
    window.addEventListener("dragover", (event) => {
      if (!carries(event)) return;
      // After the page's own, which refuses each.
      event.preventDefault();
      const inside = stage.contains(/** @type {Node} */ (event.target)) && this.#allows("up") && !this.#over;
      target.hidden = !inside;
      if (event.dataTransfer) event.dataTransfer.dropEffect = inside ? "copy" : "none";
    });
    window.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) target.hidden = true;
    });
    window.addEventListener("drop", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      if (!target.hidden) this.#dropped(event.dataTransfer);
      target.hidden = true;
    });
  }

  /** @param {DataTransfer | null} data */
  #dropped(data) {
    const files = [];
    for (const item of data?.items ?? []) {
      const file = item.getAsFile();
      if (!file) continue;
      if (item.webkitGetAsEntry?.()?.isDirectory) this.#row(file.name, 0).failed("It is a folder: drop its files, or an archive of it.");
      else files.push(file);
    }
    this.#more.open = true;
    void this.add(files);
  }
}

/** @param {string} label @param {() => void} act @param {Record<string, string>} [attributes] */
function button(label, act, attributes = {}) {
  return make("button", { type: "button", class: "quiet", onclick: act, ...attributes }, label);
}
