import { get, post, remove } from "./api.js";
import { byId, make, setText } from "./elements.js";
import { amount } from "./exit.js";
import { moment } from "./format.js";

/** @import { Alert, Exit, Me } from "../../types/model" */
/** @typedef {(error: unknown) => void} Complain */

const REFRESH_MS = 5000;
const ALERTS_SHOWN = 30;

/**
 * The pool and what happened to it: for the administrator, while the panel is open.
 * @param {Me} me
 * @param {Complain} complain
 */
export function startExits(me, complain) {
  if (me.role !== "administrator") return;
  const panel = /** @type {HTMLDetailsElement} */ (byId("exits-panel"));
  panel.hidden = false;
  const refresh = () => {
    if (panel.open && panel.isConnected && !document.hidden) show(complain).catch(complain);
  };
  panel.addEventListener("toggle", refresh);
  setInterval(refresh, REFRESH_MS);
  byId("new-exits").addEventListener("submit", (event) => {
    event.preventDefault();
    add().then(() => show(complain), complain);
  });
}

async function add() {
  const field = /** @type {HTMLTextAreaElement} */ (byId("exit-lines"));
  const { added, known } = await post("/api/exits", { lines: field.value });
  field.value = "";
  setText(byId("exits-added"), `${added} added, ${known} were known.`);
}

/** @param {Complain} complain */
async function show(complain) {
  const [exits, alerts] = await Promise.all([get("/api/exits"), get(`/api/alerts?limit=${ALERTS_SHOWN}`)]);
  setText(byId("exits-sum"), summary(exits));
  fill("exits", exits.map((/** @type {Exit} */ exit) => exitRow(exit, complain)), "No exits yet.");
  fill("alerts", alerts.map((/** @type {Alert} */ alert) => alertRow(alert, complain)), "Nothing happened.");
}

/** The pool in a sentence. @param {Exit[]} exits */
export function summary(exits) {
  const works = exits.filter(usable);
  const free = works.filter(({ users }) => !users.length);
  return exits.length ? `${works.length} of ${exits.length} work, ${free.length} are free.` : "There is no exit.";
}

/** @param {Exit} exit */
function usable({ state, draining }) {
  return !draining && (state === "healthy" || state === "suspect");
}

/** @param {Exit} exit @returns {"live" | "connecting" | "lost" | "over"} */
export function badge({ state, draining }) {
  if (draining || state === "dead") return "over";
  if (state === "quarantined") return "lost";
  return state === "healthy" ? "live" : "connecting";
}

/** @param {Exit} exit */
export function place({ scheme, host, port, username }) {
  const shown = host.includes(":") ? `[${host}]` : host;
  return `${scheme}://${username ? `${username}@` : ""}${shown}:${port}`;
}

/** @param {Exit} exit @param {Complain} complain */
function exitRow(exit, complain) {
  const act = (/** @type {Promise<unknown>} */ done) => void done.then(() => show(complain)).catch(complain);
  const verb = exit.draining ? "resume" : "drain";
  const facts = [
    exit.address ?? "address unknown",
    exit.users.length ? exit.users.join(", ") : "free",
    `score ${exit.score}`,
    ...(exit.latency_ms === null ? [] : [`${exit.latency_ms} ms`]),
    `${amount(exit.bytes_down)} in, ${amount(exit.bytes_up)} out`,
    ...(exit.region ? [exit.region] : []),
    ...exit.tags,
    ...(exit.why ? [exit.why] : []),
  ];
  return make(
    "li",
    { class: "row", "data-exit": exit.id },
    make(
      "span",
      { class: "badge", "data-state": badge(exit) },
      make("span", { class: "dot" }),
      exit.draining ? "draining" : exit.state,
    ),
    make("strong", {}, exit.label),
    make("code", {}, place(exit)),
    make("span", { class: "muted" }, facts.join(" · ")),
    make(
      "span",
      { class: "actions" },
      button("Check", () => act(post(`/api/exits/${exit.id}/check`, {}))),
      button(exit.draining ? "Use again" : "Drain", () => act(post(`/api/exits/${exit.id}/${verb}`, {}))),
      button(
        "Remove",
        () => confirm(`Remove ${exit.label}? Who has it gets another one, or none.`) && act(remove(`/api/exits/${exit.id}`)),
        "danger",
      ),
    ),
  );
}

/** @param {Alert} alert @param {Complain} complain */
function alertRow(alert, complain) {
  const seen = alert.acknowledged_at !== null;
  const acknowledge = () =>
    void post(`/api/alerts/${alert.number}/acknowledge`, {}).then(() => show(complain)).catch(complain);
  return make(
    "li",
    { class: seen ? "row over" : "row", "data-alert": alert.kind },
    make("span", { class: "badge", "data-state": tone(alert, seen) }, make("span", { class: "dot" }), alert.level),
    make("span", {}, alert.text),
    make("span", { class: "muted" }, moment(alert.at)),
    make("span", { class: "actions" }, seen ? null : button("Seen", acknowledge)),
  );
}

/** @param {Alert} alert @param {boolean} seen */
function tone({ level }, seen) {
  if (seen || level === "info") return "over";
  return level === "critical" ? "lost" : "connecting";
}

/** @param {string} label @param {() => unknown} act @param {string} [style] */
function button(label, act, style = "") {
  return make("button", { type: "button", class: style, onclick: () => void act() }, label);
}

/** Replace rows only when they differ: focus stays. @param {string} id @param {HTMLElement[]} rows @param {string} none */
function fill(id, rows, none) {
  const list = byId(id);
  const wanted = rows.length ? rows : [make("li", { class: "none muted" }, none)];
  if (wanted.map((row) => row.outerHTML).join("") !== list.innerHTML) list.replaceChildren(...wanted);
}
