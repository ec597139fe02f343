import { ApiError, request } from "./api.js";
import { makeLine, useServers } from "./lines.js";

/** @import { Line, Places } from "../../types/model" */

const ANSWER_MS = 8000;
const CONNECT_MS = 5000;

/**
 * @typedef {{ places: Pick<Places, "offer" | "answer">, name: string, epoch: number, servers: RTCIceServer[], policy: RTCIceTransportPolicy, connectMs?: number }} Wanted
 * @typedef {{ local: string, remote: string, state: string, selected: boolean }} Pair
 * @typedef {{ connected: boolean, ms: number, codec: string, pairs: Pair[], errors: string[], why: string, refused: boolean }} Found
 */

/**
 * Make a peer connection to the session's machine under a name of its own, see whether it comes about, and let it go.
 * @param {Wanted} wanted
 * @returns {Promise<Found>} never rejects; `why` is the server's word when there was no answer, `refused` when it took no such look at all
 */
export async function probe({ places, name, epoch, servers, policy, connectMs = CONNECT_MS }) {
  const line = makeLine();
  const { connection } = line;
  useServers(line, servers, policy);
  const since = performance.now();
  /** @type {Found} */
  const found = { connected: false, ms: 0, codec: "", pairs: [], errors: [], why: "", refused: false };
  connection.addEventListener("icecandidateerror", (event) => found.errors.push(wordsOf(event)));
  try {
    await negotiate(line, places, name, epoch);
    found.codec = codecOf(connection.remoteDescription?.sdp ?? "");
    found.connected = await connects(connection, connectMs);
    found.pairs = pairsOf([...(await connection.getStats()).values()]);
  } catch (error) {
    found.why = /** @type {Error} */ (error).message;
    found.refused = error instanceof ApiError;
  }
  found.ms = Math.round(performance.now() - since);
  connection.close();
  return found;
}

/** @param {Line} line @param {Wanted["places"]} places @param {string} peer @param {number} epoch */
async function negotiate({ connection, offer: made }, places, peer, epoch) {
  const offer = await made;
  await connection.setLocalDescription(offer);
  await request("POST", places.offer, { body: { peer, epoch, sdp: offer.sdp, look: true } });
  const query = new URLSearchParams({ peer, epoch: `${epoch}`, wait_ms: `${ANSWER_MS}` });
  const answer = await request("GET", `${places.answer}?${query}`, { deadlineMs: ANSWER_MS + 2000 });
  if (answer.status !== 200) throw new Error("The machine did not answer.");
  await connection.setRemoteDescription({ type: "answer", sdp: answer.body.sdp });
}

/** @param {RTCPeerConnection} connection @param {number} ms @returns {Promise<boolean>} */
function connects(connection, ms) {
  return new Promise((resolve) => {
    const look = () => {
      if (connection.connectionState === "connected") resolve(true);
      if (connection.connectionState === "failed") resolve(false);
    };
    connection.addEventListener("connectionstatechange", look);
    setTimeout(() => resolve(false), ms);
    look();
  });
}

/** The codec the machine answered with. @param {string} sdp */
function codecOf(sdp) {
  const profile = /profile-level-id=([0-9a-f]{6})/i.exec(sdp)?.[1]?.toLowerCase() ?? "";
  if (/a=rtpmap:\d+ H264\//i.test(sdp)) return profile.startsWith("42e0") ? "H.264 constrained baseline" : `H.264 ${profile}`;
  return /a=rtpmap:\d+ ([A-Za-z0-9]+)\//.exec(sdp)?.[1] ?? "";
}

/** @param {Record<string, any>[]} report @returns {Pair[]} */
function pairsOf(report) {
  const find = (/** @type {string} */ id) => report.find((one) => one["id"] === id);
  const chosen = report.find((one) => one["type"] === "transport")?.["selectedCandidatePairId"];
  return report
    .filter((one) => one["type"] === "candidate-pair")
    .map((pair) => ({
      local: placeOf(find(pair["localCandidateId"])),
      remote: placeOf(find(pair["remoteCandidateId"])),
      state: String(pair["state"]),
      selected: pair["id"] === chosen,
    }));
}

/** @param {Record<string, any> | undefined} candidate */
function placeOf(candidate) {
  if (!candidate) return "?";
  const relay = candidate["relayProtocol"] ? ` by ${candidate["relayProtocol"]}` : "";
  return `${candidate["candidateType"]}${relay} ${candidate["address"] ?? "hidden"}:${candidate["port"]} ${candidate["protocol"]}`;
}

/** @param {RTCPeerConnectionIceErrorEvent} event */
function wordsOf({ url, errorCode, errorText }) {
  return `${url} ${errorCode} ${errorText}`.trim();
}
