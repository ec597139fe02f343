import { makeLine, useServers } from "./connection.js";

/** @import { Line } from "./connection.js" */

/**
 * The page's first connection is made, and its offer with it, as soon as this module runs: the page loads it by itself,
 * while its other modules are still being read. A browser's first takes far longer than its second.
 * @type {Line | null}
 */
let first = typeof RTCPeerConnection === "function" ? makeLine() : null;

/** The one made ahead, or a new one. @param {RTCIceServer[]} iceServers @returns {Line} */
export function takeLine(iceServers) {
  const line = first ?? makeLine();
  first = null;
  useServers(line, iceServers);
  return line;
}
