/** @import { Found } from "./probe.js" */

/**
 * What each look found; `novnc` is why there is no noVNC, empty where its display greeted; `state` is the session's, where it is known. `relays` has one for each transport the server offers, by name; null: not looked.
 * @typedef {{ codec: boolean, socket: boolean, novnc: string, direct: Found | null, relays: { name: string, found: Found }[], state?: string | undefined }} Looks
 * @typedef {{ standing: "good" | "weak" | "bad", verdict: string, advice: string }} Verdict
 */

/** In plain words, the first thing that matters. @param {Looks} looks @returns {Verdict} */
export function judge({ codec, socket, novnc, direct, relays, state }) {
  const lack = novnc && (socket ? `noVNC was tried in vain: ${sentence(novnc)}` : "WebSockets are cut on the way.");
  const ways = relays.filter(({ found }) => found.connected).map(({ name }) => name);
  const shut = relays.filter(({ found }) => !found.connected).map(({ name }) => name);
  if (!codec) return (lack ? bad : weak)("This browser does not decode H.264.", `${lack ? `The desktop would come by noVNC. ${lack}` : "The desktop comes by noVNC."} Another browser shows the better picture; Firefox does once it has fetched its decoder.`);
  if (direct?.connected) {
    const also = lack && ` There is no noVNC to fall back to. ${lack}${socket ? "" : " A proxy in between should let them pass."}`;
    return { standing: lack ? "weak" : "good", verdict: "All well: the picture comes directly, by UDP.", advice: `If a desktop did not connect, it was a passing fault. Try it again.${also}` };
  }
  if (direct?.refused) return bad("The server took no look at the machine.", `${sentence(direct.why)} That says nothing of your network.`);
  if (direct?.why && state === "ready") return silent(lack);
  if (direct?.why && state) return bad("The machine gave no answer.", `${direct.why} It is not your network: the session is ${state}.`);
  if (direct?.why) return bad("The machine gave no answer.", `${direct.why} It is not your network: the session may be starting, or over.`);
  if (ways.length) {
    const not = shut.length ? ` ${shut.join(" and ")} ${shut.length > 1 ? "do" : "does"} not work from here.` : "";
    return weak(`UDP to the machine is blocked; the relay works (${ways.join(", ")}).`, `The picture comes, with some delay.${not} A network that lets UDP pass to the door's ports makes it faster.`);
  }
  const why = relayWords(relays);
  if (!lack) return weak("UDP to the machine is blocked; noVNC works.", why);
  if (socket) return bad("No picture gets through: UDP is blocked, and noVNC does not work.", `${lack} ${why}`);
  return bad("Nothing gets through: no UDP, no relay, no WebSocket.", `${why} A firewall or proxy stands between this browser and the server.`);
}

/** A session that is ready and answers no offer: its stream server hangs. @param {string} lack of noVNC @returns {Verdict} */
function silent(lack) {
  const verdict = "The machine's stream server does not answer, though the session is ready.";
  return lack ? bad(verdict, `There is no noVNC either. ${lack}`) : weak(verdict, "It is not your network. The desktop comes by noVNC.");
}

/** @param {string} text */
function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

/** Why no relay helps. @param {Looks["relays"]} relays */
function relayWords(relays) {
  if (!relays.length) return "The server has no TURN relay. Its operator can set one up; or let UDP pass to the door's ports.";
  if (relays.some(({ found }) => found.errors.some((one) => / 401\b/.test(one)))) return "The relay refuses the server's credentials: the TURN secret differs between the two. Tell the operator.";
  // a candidate of its own is what a relay gives once it has taken the credentials
  if (relays.some(({ found }) => found.pairs.some(({ local }) => local.startsWith("relay")))) {
    return "The relay is reached, but is not let through to the machine's door: its allowed-peer-ip or denied-peer-ip, or a firewall between the two. Tell the operator.";
  }
  const refused = relays.find(({ found }) => found.refused);
  if (refused) return `The relay was not looked at: ${sentence(refused.found.why)}`;
  return "The relay is not reached by any way either. Tell the operator which network you are on.";
}

/** @param {string} verdict @param {string} advice @returns {Verdict} */
const weak = (verdict, advice) => ({ standing: "weak", verdict, advice });
/** @param {string} verdict @param {string} advice @returns {Verdict} */
const bad = (verdict, advice) => ({ standing: "bad", verdict, advice });

/**
 * One ICE server for each TURN URL, named by its transport.
 * @param {RTCIceServer[]} servers
 * @returns {{ name: string, server: RTCIceServer }[]}
 */
export function relaysOf(servers) {
  return servers.flatMap((server) =>
    [server.urls].flat().filter((url) => /^turns?:/.test(url)).map((urls) => ({ name: transportOf(urls), server: { ...server, urls } })),
  );
}

/** @param {string} url */
function transportOf(url) {
  const tcp = /transport=tcp/.test(url);
  if (url.startsWith("turns:")) return tcp ? "TURN over TLS" : "TURN over DTLS";
  return tcp ? "TURN over TCP" : "TURN over UDP";
}
