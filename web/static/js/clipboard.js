import { isSoundPng, textItem } from "./clip_item.js";
import { make, setText } from "./elements.js";
import { amount } from "./exit.js";

/** @import { Clip } from "./clip.js" */
/** @import { Viewer } from "./viewer.js" */
/** @import { ClipItem, ClipTerms } from "../../types/model" */

/** What the desktop copies goes to the local clipboard by itself only this soon after the user did something on it. */
const OWN_DOING_MS = 10_000;
const SHOWN_TEXT = 400;
const SHARE = "transom.share";

/**
 * The panel of the clipboard: what the desktop copied last, and whether the local clipboard goes to it unasked.
 * What it shows of the guest is text, or a picture that was looked at first.
 */
export class ClipboardPanel {
  #viewer;
  #place;
  /** @type {Clip | null | undefined} of the rung that is on the screen, or was there last */
  #clip;
  #word = make("p", { class: "muted small", role: "status" }, "What you copy on the desktop comes here, and Ctrl+V there pastes what you copied elsewhere.");
  #text = make("pre", { class: "clip", hidden: true });
  #picture = make("img", { class: "clip", alt: "The picture that the desktop copied", hidden: true });
  #copy = make("button", { type: "button", hidden: true }, "Copy");
  #share = make("input", { type: "checkbox", id: "share" });
  /** @type {ClipItem | null} */
  #last = null;
  #lastCopies = 0;
  /** The last text that both sides know. */
  #known = "";
  #acted = -Infinity;

  /** @param {Viewer} viewer @param {HTMLElement} place an empty section @param {HTMLElement} stage the desktop */
  constructor(viewer, place, stage) {
    this.#viewer = viewer;
    this.#place = place;
    this.#build();
    for (const type of ["keydown", "pointerdown"]) {
      stage.addEventListener(type, () => (this.#acted = performance.now()), { capture: true });
    }
    window.addEventListener("focus", () => void this.#shareMine());
    window.addEventListener("blur", () => this.#clip?.order.left());
    for (const type of ["copy", "cut"]) document.addEventListener(type, () => this.#clip?.order.left());
    viewer.on("rung", () => this.#attend());
    this.#attend();
  }

  #build() {
    this.#copy.addEventListener("click", () => void this.#copied());
    this.#share.checked = localStorage.getItem(SHARE) === "yes";
    this.#share.addEventListener("change", () => void this.#choose());
    const label = make("label", { class: "small", for: "share" }, "Share mine when I come back to this page");
    this.#place.setAttribute("aria-labelledby", "clipboard-title");
    this.#place.append(
      make("h2", { id: "clipboard-title" }, "Clipboard"),
      this.#word,
      this.#text,
      this.#picture,
      make("div", { class: "actions" }, this.#copy),
      make("div", { class: "choice" }, this.#share, label),
    );
  }

  #attend() {
    const clip = this.#viewer.shown?.clip;
    if (!clip || clip === this.#clip) return;
    this.#clip = clip;
    // the way of a rung that was here before says that it is closed once another is on the screen
    const may = (/** @type {ClipTerms} */ terms) => this.#clip === clip && this.#allow(terms);
    const item = (/** @type {ClipItem} */ one, /** @type {number} */ copies) => void this.#came(one, copies);
    clip.attend({ item, may, unpasted: ({ type }, why) => this.#unpasted(type, why) });
  }

  /** @param {ClipTerms} may */
  #allow(may) {
    this.#place.hidden = !may.up && !may.down;
    const choice = /** @type {HTMLElement} */ (this.#share.parentElement);
    choice.hidden = !may.up;
  }

  /** By a key the desktop's own clipboard is pasted then, which is what is meant where none goes to it, or it copied since. @param {string} type @param {string} why */
  #unpasted(type, why) {
    const meant = why === "policy" || why === "older";
    const words = meant ? "" : unpastedWords(type, why);
    if (words) setText(this.#word, words);
  }

  /** @param {ClipItem} item of a guest, who may send anything @param {number} copies the desktop's copy of this number */
  async #came(item, copies) {
    const png = item.type === "image/png";
    if (png && !isSoundPng(item.data)) return;
    this.#last = item;
    this.#lastCopies = copies;
    if (!png) this.#known = textOf(item);
    this.#show(item);
    const theirs = document.hasFocus() && performance.now() - this.#acted < OWN_DOING_MS;
    const done = theirs && (await write(item));
    if (done) this.#clip?.order.agree(item, copies);
    const what = `${png ? "A picture" : "A text"} of ${amount(item.data.length)}`;
    setText(this.#word, done ? `${what}, copied on the desktop: it is in your clipboard, too.` : `${what} was copied on the desktop. Copy brings it to your clipboard.`);
  }

  /** @param {ClipItem} item */
  #show(item) {
    const png = item.type === "image/png";
    this.#copy.hidden = false;
    this.#text.hidden = png;
    this.#picture.hidden = !png;
    URL.revokeObjectURL(this.#picture.src);
    if (png) this.#picture.src = URL.createObjectURL(blobOf(item));
    else setText(this.#text, shortened(textOf(item)));
  }

  async #copied() {
    const item = this.#last;
    const done = item && (await write(item));
    if (done) this.#clip?.order.agree(item, this.#lastCopies);
    setText(this.#word, done ? "It is in your clipboard now." : "This browser does not let the page write your clipboard.");
    this.#viewer.focus();
  }

  /** The browser asks for its permission now, while a click is fresh. */
  async #choose() {
    if (this.#share.checked && (await readText()) === null) this.#share.checked = false;
    localStorage.setItem(SHARE, this.#share.checked ? "yes" : "no");
  }

  async #shareMine() {
    const clip = this.#viewer.shown?.clip;
    if (!this.#share.checked || !clip?.may.up || !(await isGranted())) return;
    const text = await readText();
    if (!text || text === this.#known || !clip.order.means(textItem(text))) return;
    if ((await clip.push(textItem(text))) === "got") this.#known = text;
  }
}

/** Why something did not come to the desktop, after what its channel said in one word. @type {Readonly<Record<string, string>>} */
const NOT_PASTED = Object.freeze({
  policy: "this desktop takes no pictures from your clipboard.",
  size: "it is larger than this desktop takes.",
  empty: "there is nothing in it.",
  broken: "it did not arrive whole. Try again.",
  closed: "the connection broke. Try again.",
  slow: "it took longer than half a minute.",
  older: "the desktop has copied something since. Paste there for that, or copy the picture again.",
});

/** What is said of what was to be pasted; nothing where it was, or where another is pasted in its place. @param {string} type @param {string} why */
export function unpastedWords(type, why) {
  if (why === "got" || why === "replaced") return "";
  return `The ${type === "image/png" ? "picture" : "text"} was not pasted: ${NOT_PASTED[why] ?? "the desktop did not take it."}`;
}

/**
 * What the button "Paste" does: text is typed, so that it goes where nothing can be pasted; a picture is pasted.
 * @param {Viewer} viewer @param {(text: string) => void} say why not
 */
export async function paste(viewer, say) {
  const picture = await readPicture();
  if (picture) {
    const why = (await viewer.shown?.clip.push(picture)) ?? "closed";
    if (why === "got") viewer.shown?.paste();
    const words = unpastedWords(picture.type, why);
    if (words) say(words);
  } else {
    // Without the permission, or on plain HTTP, the text is asked for instead.
    const text = (await readText()) ?? window.prompt("Text to type on the desktop:") ?? "";
    if (text && viewer.shown?.clip.may.up) void viewer.shown.clip.push(textItem(text));
    viewer.type(text);
  }
  viewer.focus();
}

/** @returns {Promise<string | null>} null when the browser does not let us */
async function readText() {
  return Promise.resolve(navigator.clipboard?.readText()).then((text) => text ?? null, () => null);
}

/** @returns {Promise<ClipItem | null>} the picture of a clipboard without text */
async function readPicture() {
  try {
    const items = await navigator.clipboard.read();
    if (items.some(({ types }) => types.includes("text/plain"))) return null;
    const blob = await items.find(({ types }) => types.includes("image/png"))?.getType("image/png");
    return blob ? { type: "image/png", data: new Uint8Array(await blob.arrayBuffer()) } : null;
  } catch {
    return null;
  }
}

/** @param {ClipItem} item @returns {Promise<boolean>} */
async function write(item) {
  try {
    if (item.type === "image/png") await navigator.clipboard.write([new ClipboardItem({ "image/png": blobOf(item) })]);
    else await navigator.clipboard.writeText(textOf(item));
    return true;
  } catch {
    return false;
  }
}

async function isGranted() {
  const name = /** @type {PermissionName} */ ("clipboard-read");
  return Promise.resolve(navigator.permissions?.query({ name })).then((found) => found?.state === "granted", () => false);
}

/** @param {ClipItem} item */
function textOf(item) {
  return new TextDecoder().decode(item.data);
}

/** @param {ClipItem} item */
function blobOf(item) {
  return new Blob([/** @type {BlobPart} */ (item.data)], { type: item.type });
}

/** @param {string} text */
function shortened(text) {
  return text.length > SHOWN_TEXT ? `${text.slice(0, SHOWN_TEXT)}…` : text;
}
