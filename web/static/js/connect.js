import { get, goSignIn, remove, socketUrl } from "./api.js";
import { takesH264 } from "./codec.js";
import { refuseDrops } from "./drops.js";
import { byId, make, setText } from "./elements.js";
import { isClosed } from "./format.js";
import { Greeting } from "./greeting.js";
import { randomName } from "./names.js";
import { guestsPlaces, ownersPlaces } from "./places.js";
import { probe } from "./probe.js";
import { judge, relaysOf } from "./reach.js";

/** @import { ApiError } from "./api.js" */
/** @import { Found } from "./probe.js" */

const ECHO_MS = 5000;
/** The server gives a look a second more. */
const DISPLAY_MS = 7000;
/** One name for all looks of this page: a later one takes the place of an earlier. */
const name = `${randomName()}-look`;
let epoch = 0;
/** A guest's address has the link besides. */
const [, , id = "", link = ""] = location.pathname.split("/");
/** Who came by a link has looks of their own: one at a time, under one name, so that it counts as one. */
const guest = location.pathname.startsWith("/watch/");
const places = guest ? guestsPlaces(id, link) : ownersPlaces(id);
const again = /** @type {HTMLButtonElement} */ (byId("again"));
const WORDS = { waiting: "looking", good: "works", weak: "weak", bad: "does not work" };

/** A row that says what is being looked at, and later what was found. @param {string} what */
function row(what) {
  const standing = make("span", { class: "standing" }, WORDS.waiting);
  const detail = make("div", { class: "small" });
  const item = make("li", {}, make("div", { class: "head" }, make("strong", {}, what), standing), detail);
  byId("checks").append(item);
  return (/** @type {boolean} */ works, /** @type {string} */ text, /** @type {string[]} */ lines = []) => {
    item.dataset["standing"] = works ? "good" : "bad";
    setText(standing, works ? WORDS.good : WORDS.bad);
    detail.replaceChildren(make("span", {}, text), ...lines.map((line) => make("code", {}, line)));
  };
}

function lookAtCodec() {
  const done = row("H.264, constrained baseline");
  const has = takesH264();
  done(has, has ? "This browser decodes it." : "This browser does not offer it.");
  return has;
}

/** A guest has no echo: the events begin with a word of their own. @returns {Promise<boolean>} */
function lookAtSocket() {
  const done = row("WebSocket");
  return new Promise((resolve) => {
    const socket = new WebSocket(socketUrl(guest ? places.events : `/api/sessions/${id}/echo`));
    const since = performance.now();
    const end = (/** @type {boolean} */ works, /** @type {string} */ text) => {
      clearTimeout(timer);
      socket.onclose = socket.onmessage = null;
      socket.close();
      done(works, text);
      resolve(works);
    };
    const timer = setTimeout(() => end(false, `No answer in ${ECHO_MS / 1000} s.`), ECHO_MS);
    socket.onopen = () => guest || socket.send("transom");
    socket.onmessage = ({ data }) => end(guest || data === "transom", `Answered in ${Math.round(performance.now() - since)} ms.`);
    socket.onclose = ({ code, reason }) => end(false, reason || (code === 1006 ? "It is cut on the way." : `Closed with ${code}.`));
  });
}

/** Greets the display as noVNC does, up to its size. @returns {Promise<string>} why there is no noVNC; empty where it greeted */
function lookAtDisplay() {
  const done = row("noVNC");
  return new Promise((resolve) => {
    const socket = new WebSocket(`${socketUrl(places.vnc)}?look=1`, "binary");
    const [since, greeting] = [performance.now(), new Greeting()];
    socket.binaryType = "arraybuffer";
    const end = (/** @type {string} */ why, text = why) => {
      clearTimeout(timer);
      socket.onclose = socket.onmessage = null;
      socket.close();
      done(!why, text);
      resolve(why);
    };
    const timer = setTimeout(() => end(`No greeting in ${DISPLAY_MS / 1000} s.`), DISPLAY_MS);
    socket.onmessage = ({ data }) => {
      const said = greeting.feed(data);
      if (said.length) socket.send(said);
      const { size, wrong } = greeting;
      if (wrong) end(`The machine's display: ${wrong}.`);
      if (size) end("", `A screen of ${size.width}x${size.height}, told in ${Math.round(performance.now() - since)} ms.`);
    };
    socket.onclose = ({ code, reason }) => end(reason || (code === 1006 ? "It is cut on the way." : `Closed with ${code}.`));
  });
}

/** @param {string} what @param {RTCIceServer[]} servers @param {RTCIceTransportPolicy} policy @param {number} number of the look */
async function lookAtPeer(what, servers, policy, number) {
  const done = row(what);
  if (guest) epoch += 1;
  const peer = guest ? name : `${name}${number}`;
  const found = await probe({ places, name: peer, epoch, servers, policy });
  if (!guest) remove(`/api/webrtc/session/${id}/peers/${peer}/${epoch}`).catch(() => {});
  done(found.connected, wordsOf(found), [...found.pairs.map(lineOf), ...found.errors.slice(0, 4)]);
  return found;
}

/** @param {Found} found */
function wordsOf({ connected, ms, codec, why, pairs }) {
  if (connected) return `Connected in ${ms} ms${codec ? `, ${codec}` : ""}.`;
  if (why) return why;
  return pairs.length ? "No candidate pair answered." : "No candidate was found on this side.";
}

/** @param {{ local: string, remote: string, state: string, selected: boolean }} pair */
function lineOf({ local, remote, state, selected }) {
  return `${local} → ${remote}: ${selected ? "in use" : state}`;
}

async function look() {
  again.disabled = true;
  byId("checks").replaceChildren();
  byId("verdict-box").dataset["standing"] = "waiting";
  setText(byId("verdict"), "Looking…");
  setText(byId("advice"), "");
  epoch += 1;
  if (isClosed(await get(places.session).catch(refused))) return showOver();
  const codec = lookAtCodec();
  const socket = await lookAtSocket();
  const novnc = await lookAtDisplay();
  /** @type {RTCIceServer[]} */
  const servers = (await get(places.ice).catch(refused))?.ice_servers ?? [];
  const relays = relaysOf(servers);
  const stun = servers.filter((one) => ![one.urls].flat().some((url) => /^turns?:/.test(url)));
  const direct = await lookAtPeer("UDP to the machine", stun, "all", 0);
  const found = await lookAtRelays(relays);
  const { standing, verdict, advice } = judge({ codec, socket, novnc, direct, relays: found, state: await stateOf(direct) });
  byId("verdict-box").dataset["standing"] = standing;
  setText(byId("verdict"), verdict);
  setText(byId("advice"), advice);
  again.disabled = false;
}

/** Nothing of a session that is over says anything of the network. */
function showOver() {
  for (const what of ["WebSocket", "noVNC", "UDP to the machine"]) untried(what);
  byId("verdict-box").dataset["standing"] = "bad";
  setText(byId("verdict"), "The session is over.");
  setText(byId("advice"), "Nothing was tried. Look from a session that runs.");
  again.disabled = false;
}

/** @param {string} what */
function untried(what) {
  const standing = make("span", { class: "standing" }, "not tried");
  const detail = make("div", { class: "small" }, "Not tried, the session is over.");
  byId("checks").append(make("li", {}, make("div", { class: "head" }, make("strong", {}, what), standing), detail));
}

/** All at once, of a guest one after the other. @param {ReturnType<typeof relaysOf>} relays */
async function lookAtRelays(relays) {
  const looks = [];
  for (const [index, { name: transport, server }] of relays.entries()) {
    const look = lookAtPeer(transport, [server], "relay", index + 1).then((found) => ({ name: transport, found }));
    looks.push(look);
    if (guest) await look;
  }
  return Promise.all(looks);
}

/** The session's state, where the machine did not answer. @param {Found} direct @returns {Promise<string | undefined>} */
async function stateOf(direct) {
  if (!direct.why || direct.refused) return undefined;
  return (await get(places.session).catch(refused))?.state;
}

/** @param {ApiError} error */
function refused(error) {
  if (error.status === 401 && !guest) goSignIn();
  return null;
}

byId("back").setAttribute("href", guest ? `/watch/${id}/${link}` : `/session/${id}`);
refuseDrops();
again.addEventListener("click", () => void look());
void look();
