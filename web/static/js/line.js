import { makeLine, useServers } from "./lines.js";
import { randomName } from "./names.js";

/** @import { Line, Offered } from "../../types/model" */

/**
 * The page's first connection: the one that its head made and offered, else one that is made as soon as this module runs.
 * @type {Line | undefined}
 */
let first = window.ahead?.line ?? (typeof RTCPeerConnection === "function" ? makeLine() : undefined);
/** @type {Offered} */
const offered = window.ahead?.offered ?? { peer: randomName(), epoch: 1, sdp: "" };

/** Under which name and number the page's first connection is offered, and what of it is on its way already. */
export function offeredAhead() {
  return offered;
}

/** The first one, which whoever takes it offers from now on; or a new one. @param {RTCIceServer[]} iceServers @returns {Line} */
export function takeLine(iceServers) {
  const line = first ?? makeLine();
  first = undefined;
  delete window.ahead?.line;
  useServers(line, iceServers);
  return line;
}
