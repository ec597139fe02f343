import { get } from "./api.js";
import { byId, make, setText } from "./elements.js";
import { moment, shortId, span } from "./format.js";

/** @import { Funnel, Machine, Machines, Me, Pool } from "../../types/model" */
/** @typedef {(error: unknown) => void} Complain */

const REFRESH_MS = 5000;
const MIB = 2 ** 20;
const FAILURES_SHOWN = 20;

/**
 * The warm pool, what stands, what was made and what failed: for the administrator, while the panel is open.
 * @param {Me} me
 * @param {Complain} complain
 */
export function startMachines(me, complain) {
  if (me.role !== "administrator") return;
  const panel = /** @type {HTMLDetailsElement} */ (byId("machines-panel"));
  panel.hidden = false;
  const refresh = () => {
    if (panel.open && panel.isConnected && !document.hidden) show(complain).catch(complain);
  };
  panel.addEventListener("toggle", refresh);
  setInterval(refresh, REFRESH_MS);
}

/** @param {Complain} complain */
async function show(complain) {
  const { pool, funnel, machines } = /** @type {Machines} */ (await get("/api/machines"));
  setText(byId("pool"), poolWords(pool));
  fill("machines", machines.filter(({ phase }) => phase !== "over").map(standing), "No machine is running.");
  fill("funnel", funnel.map(counted), "No machine was made.");
  const failed = machines.filter(({ failed_stage }) => failed_stage).slice(0, FAILURES_SHOWN);
  fill("machine-failures", failed.map((machine) => failure(machine, complain)), "Nothing failed.");
}

/** The pool in a sentence. @param {Pool} pool */
function poolWords(pool) {
  if (pool.most === 0) return "There is no warm pool: each machine is made when it is asked for.";
  const found = `${pool.hits} of ${pool.hits + pool.misses} sessions found one`;
  const words = `${pool.parked} of ${pool.target} warm machines wait, ${memory(pool.memory_bytes)}; ${found}.`;
  return pool.failures ? `${words} Making one fails: ${pool.last_failure}` : words;
}

/** @param {number} [bytes] */
function memory(bytes) {
  return bytes ? `${Math.round(bytes / MIB)} MiB` : "memory unknown";
}

/** @param {Machine} machine */
function standing(machine) {
  const { usage } = machine;
  const words = [
    machine.driver,
    `slot ${machine.slot}`,
    memory(usage["memory_bytes"]),
    ...(usage["pids"] ? [`${usage["pids"]} processes`] : []),
    ...(usage["cpu_ms"] ? [`${span(usage["cpu_ms"])} of CPU`] : []),
    ...(usage["disk_bytes"] ? [`${memory(usage["disk_bytes"])} written`] : []),
  ];
  return make(
    "li",
    { class: "row" },
    make("span", { class: "badge", "data-state": badge(machine) }, make("span", { class: "dot" }), machine.phase),
    make("strong", {}, shortId(machine.id)),
    make("span", { class: "muted" }, words.join(" · ")),
  );
}

/** @param {Machine} machine */
function badge({ phase }) {
  if (phase === "ready") return "live";
  return phase === "leaving" ? "over" : "connecting";
}

/** @param {Funnel} line */
function counted({ driver, warm, outcome, failed_stage, count }) {
  const what = `${warm ? "warm " : ""}${outcome || "living"}${failed_stage ? ` at ${failed_stage}` : ""}`;
  return make("li", { class: "row" }, make("strong", {}, String(count)), make("span", {}, what), make("span", { class: "muted" }, driver));
}

/** @param {Machine} machine @param {Complain} complain */
function failure(machine, complain) {
  const log = () => showLog(machine.id).catch(complain);
  return make(
    "li",
    { class: "row" },
    make("strong", {}, machine.failed_stage),
    make("span", {}, machine.cause),
    make("span", { class: "muted" }, `${shortId(machine.id)} · ${moment(machine.made_at)}`),
    make("span", { class: "actions" }, make("button", { type: "button", onclick: () => void log() }, "Log")),
  );
}

/** @param {string} machine */
async function showLog(machine) {
  const { log } = await get(`/api/machines/${machine}/log`);
  const place = byId("machine-log");
  place.hidden = false;
  setText(place, log);
}

/** Replace rows only when they differ. @param {string} id @param {HTMLElement[]} rows @param {string} none */
function fill(id, rows, none) {
  const list = byId(id);
  const wanted = rows.length ? rows : [make("li", { class: "none muted" }, none)];
  if (wanted.map((row) => row.outerHTML).join("") !== list.innerHTML) list.replaceChildren(...wanted);
}
