import "./ahead.js";
import { keepToAddress } from "./address.js";
import { fallSilent } from "./api.js";
import { makeLine } from "./lines.js";

/** @import { Line } from "../../types/model" */

/** A page without its style is shown after this long: the style is there long before, but for a network that fails. */
const STYLE_MS = 1000;
/** The machine answers an offer while the page's modules run, which hold up everything else: so they wait for it, this long. */
const OFFER_MS = 80;

/** A session's page, which the server has put into this one; without it the browser goes there. */
const page = /** @type {HTMLTemplateElement | null} */ (document.querySelector("template[data-script]"));
/** @type {Line | undefined} */
let line;
let gone = false;

/** Make the connection of the session that may be opened next: a browser's first takes a while. */
export function prepare() {
  if (page && typeof RTCPeerConnection === "function") line ??= makeLine();
}

/**
 * Open a session's page in the place of this one: its address, its elements, its modules, in the document that is here.
 * So its first connection is made while the session itself is asked for, and no document is loaded for it.
 * @param {string} session
 */
export async function goOn(session) {
  const address = `/session/${session}`;
  if (!page) return location.assign(address);
  if (gone) return;
  gone = true;
  prepare();
  history.pushState(null, "", address);
  keepToAddress();
  fallSilent();
  await Promise.race([window.goAhead?.(session, line), new Promise((late) => setTimeout(late, line ? OFFER_MS : 0))]);
  try {
    await become(page);
  } catch {
    location.reload();
  }
}

/** @param {HTMLTemplateElement} next */
async function become({ content, dataset }) {
  const own = [...document.querySelectorAll("link")].filter(({ rel }) => rel === "stylesheet");
  const theirs = own.filter((link) => dataset["styles"]?.split(" ").includes(link.getAttribute("href") ?? ""));
  await Promise.race([Promise.all(theirs.map(loaded)), new Promise((late) => setTimeout(late, STYLE_MS))]);
  for (const link of own) {
    if (theirs.includes(link)) link.media = "all";
    else link.remove();
  }
  document.title = dataset["title"] ?? "";
  document.body.className = dataset["class"] ?? "";
  document.body.replaceChildren(content);
  scrollTo(0, 0);
  await import(/** @type {string} */ (dataset["script"]));
}

/** @param {HTMLLinkElement} link */
function loaded(link) {
  if (link.sheet) return undefined;
  return new Promise((done) => {
    link.addEventListener("load", done, { once: true });
    link.addEventListener("error", done, { once: true });
  });
}
