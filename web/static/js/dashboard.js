import { keepToAddress } from "./address.js";
import { ApiError, get, goSignIn, post, remove } from "./api.js";
import { byId, make, setText } from "./elements.js";
import { about, isOver, moment, shortId } from "./format.js";
import { ExitLine } from "./exit.js";
import { startExits } from "./exits.js";
import { startMachines } from "./machines.js";
import { randomName } from "./names.js";
import { goOn, prepare } from "./onward.js";
import { roomOfSession } from "./room.js";
import { startSettings } from "./settings.js";

/** @import { Credential, Me, Provider, Session } from "../../types/model" */

const REFRESH_MS = 3000;
/** The page has its own work first. */
const PREPARE_MS = 300;
const exitLine = new ExitLine(complain);

/** @type {Provider[]} */
let providers = [];
/** @type {Credential[]} */
let credentials = [];

/** Say what went wrong, or go and sign in. @param {unknown} error */
function complain(error) {
  const { status, message, retryAfterS } = /** @type {ApiError} */ (error);
  if (status === 401) return goSignIn();
  const notice = byId("notice");
  notice.hidden = false;
  setText(notice, retryAfterS ? `${message} Try again in ${retryAfterS} s.` : message);
}

/**
 * Ask for a session and open its page at once; its connection is made meanwhile. The key makes a repeated click, or a
 * repeated request, the same one.
 * @param {HTMLButtonElement} button
 * @param {object} what
 */
async function open(button, what) {
  button.dataset["key"] ??= randomName();
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  byId("notice").hidden = true;
  try {
    const body = { ...what, ...roomOfSession(window) };
    const asked = post("/api/sessions", body, { "Idempotency-Key": button.dataset["key"] });
    prepare();
    await goOn((await asked).id);
  } catch (error) {
    // After an answer the next click is a new request; without one it repeats this.
    if (/** @type {ApiError} */ (error).status) delete button.dataset["key"];
    button.disabled = false;
    button.removeAttribute("aria-busy");
    complain(error);
  }
}

function showCards() {
  const cards = providers.map((provider) => {
    const saved = credentials.find((one) => one.provider === provider.id);
    const state = saved ? `Saved ${about(Date.now() - saved.created_at)} ago` : "Not connected yet";
    return card(provider.name, provider.title, state, Boolean(saved), { provider: provider.id });
  });
  const desktop = card("Desktop", "Open a desktop", "A browser and nothing else", false, {});
  byId("cards").replaceChildren(...cards, desktop);
  byId("cards").removeAttribute("aria-busy");
}

/** @param {string} name @param {string} title @param {string} state @param {boolean} saved @param {object} what */
function card(name, title, state, saved, what) {
  const button = make("button", { class: "primary", type: "button" }, title);
  button.addEventListener("click", () => void open(button, what));
  return make(
    "li",
    { class: "card" },
    make("span", { class: "monogram", "aria-hidden": "true" }, [...name][0] ?? "?"),
    make("h3", {}, name),
    make("p", { class: saved ? "state saved" : "state" }, state),
    button,
  );
}

async function showSessions() {
  const sessions = /** @type {Session[]} */ (await get("/api/sessions"));
  const living = sessions.filter((session) => !isOver(session));
  const recent = sessions.filter(isOver).slice(0, 3);
  const rows = [...living, ...recent].map(sessionRow);
  update(byId("sessions"), rows, "No session is running.");
}

/** @param {Session} session */
function sessionRow(session) {
  const name = providers.find(({ id }) => id === session.provider)?.name ?? "Desktop";
  const over = isOver(session);
  const when = over ? `began ${moment(session.created_at)}` : `${about(session.expires_at - Date.now())} left`;
  const actions = over
    ? [make("a", { class: "button quiet", href: `/session/${session.id}` }, "How it was")]
    : [
        make("a", { class: "button", href: `/session/${session.id}`, onclick: (event) => openHere(event, session.id) }, "Open"),
        make("button", { class: "danger", type: "button", onclick: () => void stop(session.id) }, "Stop"),
      ];
  return make(
    "li",
    { class: over ? "row over" : "row" },
    make("span", { class: "badge", "data-state": badgeOf(session) }, make("span", { class: "dot" }), session.state),
    make("strong", {}, name),
    make("span", { class: "muted" }, `${shortId(session.id)} · ${when}`),
    make("span", { class: "actions" }, ...actions),
  );
}

/** A plain click opens it in this place; any other is the browser's. @param {Event} event @param {string} id */
function openHere(event, id) {
  const { ctrlKey, metaKey, shiftKey, altKey } = /** @type {MouseEvent} */ (event);
  if (ctrlKey || metaKey || shiftKey || altKey) return;
  event.preventDefault();
  void goOn(id);
}

/** @param {Session} session */
function badgeOf(session) {
  if (session.state === "ready") return "live";
  if (session.state === "failed") return "lost";
  return isOver(session) ? "over" : "connecting";
}

/** @param {string} id */
async function stop(id) {
  await remove(`/api/sessions/${id}`).catch(complain);
  await refresh();
}

async function showCredentials() {
  credentials = await get("/api/credentials");
  const rows = credentials.map((credential) => {
    const name = providers.find(({ id }) => id === credential.provider)?.name ?? credential.provider;
    const until = credential.expires_at === null ? "no end known" : `valid until ${moment(credential.expires_at)}`;
    return make(
      "li",
      { class: "row" },
      make("strong", {}, name),
      make("span", { class: "files" }, ...credential.names.map((file) => make("code", {}, file))),
      make("span", { class: "muted" }, until),
      make(
        "span",
        { class: "actions" },
        make("button", { class: "danger", type: "button", onclick: () => void forget(credential.provider, name) }, "Forget"),
      ),
    );
  });
  update(byId("credentials"), rows, "Nothing saved yet. Connect a tool above.");
}

/** @param {string} provider @param {string} name */
async function forget(provider, name) {
  if (!confirm(`Forget the saved credential of ${name}? It cannot be brought back.`)) return;
  await remove(`/api/credentials/${encodeURIComponent(provider)}`).catch(complain);
  await refresh();
}

/** Replace rows only when they differ: focus and screen readers stay undisturbed. @param {HTMLElement} list @param {HTMLElement[]} rows @param {string} none */
function update(list, rows, none) {
  const wanted = rows.length ? rows : [make("li", { class: "none muted" }, none)];
  const same = wanted.map((row) => row.outerHTML).join("") === list.innerHTML;
  if (!same) list.replaceChildren(...wanted);
}

/** False once a session's page has taken this one's place. */
function isHere() {
  return document.body.classList.contains("dashboard");
}

async function refresh() {
  try {
    const before = JSON.stringify(credentials);
    await Promise.all([showSessions(), showCredentials(), exitLine.refresh()]);
    if (before !== JSON.stringify(credentials)) showCards();
  } catch (error) {
    if (/** @type {ApiError} */ (error).status) complain(error);
  }
}

async function begin() {
  try {
    const [me, known] = await Promise.all([get("/api/me"), get("/api/providers")]);
    providers = known;
    setText(byId("me"), /** @type {Me} */ (me).name);
    showCards();
    setTimeout(prepare, PREPARE_MS);
    await refresh();
    startSettings(me, complain);
    startMachines(me, complain);
    startExits(me, complain);
  } catch (error) {
    complain(error);
  }
}

byId("sign-out").addEventListener("click", async () => {
  await post("/api/auth/sign-out", {}).catch(() => {});
  location.assign("/");
});
// A page taken from the browser's history must not keep a button pressed.
window.addEventListener("pageshow", ({ persisted }) => persisted && isHere() && location.reload());
setInterval(() => document.hidden || !isHere() || void refresh(), REFRESH_MS);
keepToAddress();
await begin();
