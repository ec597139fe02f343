import { keepToAddress } from "./address.js";
import { ApiError, get, goSignIn, post, remove } from "./api.js";
import { Controls } from "./controls.js";
import { isConfirmed } from "./dialog.js";
import { refuseDrops } from "./drops.js";
import { byId, copyFrom, make, setText } from "./elements.js";
import { ExitLine } from "./exit.js";
import { about, endingOf, isClosed, isOver, statsLine } from "./format.js";
import { watchPatience } from "./patience.js";
import { ownersPlaces } from "./places.js";
import { showProgress } from "./progress.js";
import { showSignin } from "./signin.js";
import { publish } from "./surface.js";
import { Toast } from "./toast.js";
import { Viewer } from "./viewer.js";

/** @import { OwnExit, Provider, Rung, Session } from "../../types/model" */

/** The events tell what changes; the sums of bytes, and pages without a socket, ask. */
const EXIT_MS = 10_000;
/** Names and exits may wait this long for the picture: what is asked beside it, it pays for. */
const REST_MS = 1000;
const REST_LOOK_MS = 100;

const beganAt = performance.now();
const id = location.pathname.split("/").at(-1) ?? "";
const stage = byId("stage");
const endButton = /** @type {HTMLButtonElement} */ (byId("end"));

/** @type {Map<string, Provider>} */
const providers = new Map();
let missing = false;
let lookedBack = false;
/** The picture is long in coming. */
let slow = false;

const exitLine = new ExitLine((error) => toast.say(/** @type {ApiError} */ (error).message));
const viewer = new Viewer(id, stage, { changed: show, refused, leaves });
const toast = new Toast(viewer, byId("toast"));
new Controls(viewer, stage, (text) => toast.note(text));
publish(viewer);

/** @type {Record<Rung, string>} */
const RUNGS = { webrtc: "WebRTC", "webrtc-relay": "WebRTC by relay", vnc: "noVNC" };

/** @param {"missing" | "signed-out"} why */
function refused(why) {
  if (why === "signed-out" && !viewer.rung) return goSignIn();
  toast.signedOut ||= why === "signed-out";
  missing ||= why === "missing";
  show();
}

/** @param {OwnExit} own */
function leaves(own) {
  exitLine.show(own);
  show();
}

/** Bring the page in line with what is. Cheap, and called for every change. */
function show() {
  const { session } = viewer;
  showBadge();
  showButtons(session);
  showCover(session);
  toast.show();
  if (!session) return;
  const name = providers.get(session.provider ?? "")?.name ?? session.provider ?? "Desktop";
  setText(byId("title"), name);
  document.title = `${name} · transom`;
  showProgress(session);
  showSignin(session);
  showFacts(session);
  if (isOver(session)) void lookBack().catch(() => {});
}

function showBadge() {
  const { state, rung } = viewer;
  const words = {
    waiting: "Starting",
    connecting: "Connecting",
    live: rung ? RUNGS[rung] : "",
    lost: "Reconnecting",
    over: "Ended",
  };
  byId("badge").dataset["state"] = state;
  setText(byId("badge-text"), words[state]);
}

/** @param {Session | null} session */
function showButtons(session) {
  /** @type {HTMLButtonElement} */ (byId("type-code")).disabled = !viewer.seats.drives;
  endButton.disabled = !session || isClosed(session);
}

/** @param {Session | null} session */
function showCover(session) {
  const over = missing || isClosed(session);
  document.body.classList.toggle("over", over);
  byId("cover").hidden = viewer.rung !== null && !over;
  byId("cover-actions").hidden = !over;
  byId("stages").hidden = over;
  byId("why").hidden = over || !slow;
  // While the cover shows the stages, the side need not repeat them.
  byId("progress").hidden = viewer.rung === null && !over;
  byId("way-out").hidden = over || !exitLine.own;
  const [title, text] = coverWords(session);
  setText(byId("cover-title"), title);
  setText(byId("cover-text"), text);
}

/** @param {Session | null} session @returns {[string, string]} */
function coverWords(session) {
  if (missing) return ["There is no such session", "It may have ended long ago, or belong to somebody else."];
  if (session?.state === "stopping") return ["Ending the session", "The machine is being taken down."];
  if (session?.state === "failed") return ["The session failed", `${endingOf(session.reason)} ${session.detail}`.trim()];
  if (session && isOver(session)) return ["The session has ended", endingOf(session.reason)];
  if (!viewer.reachable) return ["Waiting for the server", "It does not answer just now. Nothing is lost; this page goes on by itself."];
  if (session?.state === "ready") return ["Connecting the picture", "Your desktop is ready."];
  return ["Preparing your desktop", "A machine of its own is being made for you."];
}

/** @param {Session} session */
function showFacts(session) {
  const left = session.expires_at - Date.now();
  const facts = [
    ["State", session.state],
    ...(isOver(session) ? [] : [["Time left", about(left)]]),
    ["Machine", session.driver],
    ["Name", session.id],
  ];
  byId("facts").replaceChildren(
    ...facts.flatMap(([term, value]) => [make("dt", {}, term ?? ""), make("dd", {}, value ?? "")]),
  );
  const warnings = byId("warnings");
  warnings.hidden = !session.warnings.length;
  warnings.replaceChildren(...session.warnings.map((warning) => make("li", {}, warning)));
}

async function endSession() {
  if (!(await isConfirmed(/** @type {HTMLDialogElement} */ (byId("confirm"))))) return viewer.focus();
  endButton.disabled = true;
  await remove(`/api/sessions/${id}`).catch((/** @type {ApiError} */ error) => {
    endButton.disabled = false;
    toast.say(error.message);
  });
}

/** The picture's figures, once it is there: each second in the bar, and in their panel. */
async function watchQuality() {
  const { Quality } = await import("./quality.js");
  new Quality(viewer, byId("quality"), (stats) => setText(byId("stats"), viewer.rung ? statsLine(stats) : ""));
}

/** How the picture was, once it is over. */
async function lookBack() {
  if (lookedBack) return;
  lookedBack = true;
  const { showCharts } = await import("./charts.js");
  await showCharts(id, byId("charts"));
}

/** @param {string} verb @param {() => Promise<unknown>} act */
function onClick(verb, act) {
  byId(verb).addEventListener("click", () => void act());
}

onClick("end", endSession);
onClick("copy-url", () => copyFrom(/** @type {any} */ (byId("copy-url")), viewer.session?.signin?.url ?? ""));
onClick("copy-code", () => copyFrom(/** @type {any} */ (byId("copy-code")), viewer.session?.signin?.user_code ?? ""));
onClick("type-code", async () => {
  viewer.type(viewer.session?.signin?.user_code ?? "");
  viewer.focus();
});
onClick("again", () => post(`/api/sessions/${id}/signin`, { provider: viewer.session?.signin?.provider ?? "" }).catch(() => {}));
onClick("cancel", () => remove(`/api/sessions/${id}/signin`).catch(() => {}));
setInterval(() => document.hidden || askExit(), EXIT_MS);

/** By which exit the desktop leaves, while there is one. */
function askExit() {
  if (!viewer.session || !isOver(viewer.session)) exitLine.refresh().then(show, () => {});
}

async function showViewers() {
  const [{ ViewersPanel }, { LinksPanel }] = await Promise.all([import("./viewers.js"), import("./links.js")]);
  new ViewersPanel(viewer, byId("viewers"), byId("banner"));
  new LinksPanel(id, byId("viewers"));
}

/** What the picture does not wait for, asked once it is there, or is long in coming. */
async function askTheRest() {
  const recorder = import("./recorder.js");
  void recorder.then(({ RecorderPanel }) => new RecorderPanel(id, byId("recording"), byId("recorded"), viewer)).catch(() => {});
  void showViewers().catch(() => {});
  void import("./files.js").then(({ FilesPanel }) => new FilesPanel(id, byId("files"), stage)).catch(() => {});
  if (!viewer.session || !isOver(viewer.session)) void watchQuality().catch(() => {});
  void import("./touch_choice.js").then(({ TouchChoice }) => new TouchChoice(viewer, byId("fingers"))).catch(() => {});
  void import("./sound.js").then(({ SoundPanel }) => new SoundPanel(viewer)).catch(() => {});
  void import("./clipboard.js")
    .then(({ ClipboardPanel }) => new ClipboardPanel(viewer, byId("clipboard"), stage))
    .catch(() => {});
  askExit();
  const known = /** @type {Provider[]} */ (await get("/api/providers").catch(() => []));
  for (const provider of known) providers.set(provider.id, provider);
  show();
}

byId("why-link").setAttribute("href", ownersPlaces(id).connect);
watchPatience(viewer, (is) => {
  slow = is;
  show();
});
refuseDrops();
keepToAddress();
show();
viewer.start();
const asking = setInterval(() => {
  if (!viewer.rung && performance.now() - beganAt < REST_MS) return;
  clearInterval(asking);
  void askTheRest();
}, REST_LOOK_MS);
