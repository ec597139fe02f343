import { ApiError, get, post } from "./api.js";
import { Controls } from "./controls.js";
import { refuseDrops } from "./drops.js";
import { byId, setText } from "./elements.js";
import { guestsEndingOf, isClosed } from "./format.js";
import { watchPatience } from "./patience.js";
import { guestsPlaces } from "./places.js";
import { tellRecorded } from "./recorder.js";
import { publish } from "./surface.js";
import { Toast } from "./toast.js";
import { Viewer } from "./viewer.js";
import { ViewersPanel } from "./viewers.js";

/** @import { Places, Rung } from "../../types/model" */

const stage = byId("stage");
/** @type {Record<Rung, string>} */
const RUNGS = { webrtc: "WebRTC", "webrtc-relay": "WebRTC by relay", vnc: "noVNC" };
/** @type {Viewer | null} */
let viewer = null;
/** Why there is no picture and will be none. */
let gone = "";
/** The picture is long in coming. */
let slow = false;

/** Which session this page shows, and by which link: by the token in its address, which leaves it at once, or by the cookie of before. */
async function enter() {
  const token = location.hash.slice(1);
  if (!token) return inAddress();
  history.replaceState(null, "", "/watch");
  const { session, link } = await post("/api/watch", { token });
  history.replaceState(null, "", `/watch/${session}/${link}`);
  return inAddress();
}

function inAddress() {
  const [, , session = "", link = ""] = location.pathname.split("/");
  return { session, link };
}

async function begin() {
  try {
    const { session, link } = await enter();
    if (link) return watch(session, guestsPlaces(session, link));
    gone = "This page opens with a link from the session's owner.";
  } catch (error) {
    gone = whyNot(/** @type {ApiError} */ (error));
  }
  show();
}

/** @param {ApiError} error */
function whyNot(error) {
  if (error.status === 404) return "This link is not known here. Perhaps a part of it is missing.";
  if (error.status === 410 && error.reason !== "link") return `The session has ended. ${guestsEndingOf(error.reason)}`;
  return sentence(error.message);
}

/** @param {string} text */
function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
}

/** @param {string} id @param {Places} places */
function watch(id, places) {
  viewer = new Viewer(id, stage, { changed: show, refused }, places);
  const toast = new Toast(viewer, byId("toast"));
  new Controls(viewer, stage, (text) => toast.note(text));
  refuseDrops(() => toast.note("Files are the owner's to give: nothing can be dropped here."));
  publish(viewer);
  viewer.on("link-over", (why) => (gone = sentence(why)));
  const seen = viewer.on("rung", () => {
    seen();
    loadTheRest();
    void tellEnd(places, toast).catch(() => {});
  });
  byId("why-link").setAttribute("href", places.connect);
  watchPatience(viewer, (is) => {
    slow = is;
    show();
  });
  viewer.start();
  new ViewersPanel(viewer, byId("viewers"), byId("banner"));
  tellRecorded(places.session, byId("recorded"), viewer);
  show();
}

/** What the picture does not wait for: a guest who only watches hears the desktop, one who drives has its clipboard as well. */
function loadTheRest() {
  void watchQuality().catch(() => {});
  void import("./sound.js").then(({ SoundPanel }) => viewer && new SoundPanel(viewer)).catch(() => {});
  void import("./touch_choice.js").then(({ TouchChoice }) => viewer && new TouchChoice(viewer, byId("fingers"))).catch(() => {});
  void import("./clipboard.js")
    .then(({ ClipboardPanel }) => viewer && new ClipboardPanel(viewer, byId("clipboard"), stage))
    .catch(() => {});
}

/** When the link ends, which its cookie does not say. @param {Places} places @param {Toast} toast */
async function tellEnd(places, toast) {
  const [{ tellParting }, { link_expires_at: at }] = await Promise.all([import("./parting.js"), get(places.session)]);
  if (viewer) tellParting(viewer, at ?? null, byId("parting"), toast);
}

/** The picture's figures, once there is one. */
async function watchQuality() {
  const { Quality } = await import("./quality.js");
  if (viewer) new Quality(viewer, byId("quality"), () => {});
}

function refused() {
  gone = "Open the link again: this browser is not let in any more.";
  viewer?.end();
}

function show() {
  const session = viewer?.session ?? null;
  const rung = viewer?.rung ?? null;
  const over = Boolean(gone) || isClosed(session);
  const state = over ? "over" : (viewer?.state ?? "waiting");
  const words = { waiting: "Starting", connecting: "Connecting", live: rung ? RUNGS[rung] : "", lost: "Reconnecting", over: "Ended" };
  byId("badge").dataset["state"] = state;
  setText(byId("badge-text"), words[state]);
  document.body.classList.toggle("over", over);
  byId("this-link").hidden = over;
  byId("cover").hidden = rung !== null && !over;
  byId("why").hidden = over || !slow;
  setText(byId("cover-title"), over ? "There is nothing to see any more" : "Connecting the picture");
  setText(byId("cover-text"), gone || (over && session ? guestsEndingOf(session.reason) : "You come by a link."));
}

window.addEventListener("hashchange", () => location.hash.length > 1 && location.reload());
void begin();
