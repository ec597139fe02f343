import "./connection.js";

/** @import { Connections, Line } from "../../types/model" */

/** Offered to nobody yet, and without ICE servers. @returns {Line} */
export function makeLine() {
  return /** @type {Connections} */ (window.connections).make();
}

/** Before it is offered to anybody. @param {Line} line @param {RTCIceServer[]} iceServers @param {RTCIceTransportPolicy} [policy] */
export function useServers({ connection }, iceServers, policy = "all") {
  connection.setConfiguration({ ...connection.getConfiguration(), iceServers, ...(policy === "relay" ? { iceTransportPolicy: policy } : {}) });
}
