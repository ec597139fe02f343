import { request, socketUrl } from "./api.js";

/** @import { IceServers, Places } from "../../types/model" */

const OPEN = 1;

/** The events' socket of a session: the first time the one that the page opened ahead, if it lives. @param {Places} places */
export function eventsSocket(places) {
  return socketAhead() ?? new WebSocket(socketUrl(places.events));
}

/** Whoever takes it sets its handlers at once; then what was heard so far comes, in order. */
function socketAhead() {
  const { socket, heard = [], offered } = window.ahead ?? {};
  delete window.ahead?.socket;
  if (!socket) return null;
  if (socket.readyState > OPEN) {
    // The answer may have gone with it: whoever takes the line offers it again, which the server takes twice.
    if (offered) offered.sdp = "";
    return null;
  }
  socket.onmessage = null;
  queueMicrotask(() => {
    if (socket.readyState === OPEN) socket.onopen?.(new Event("open"));
    for (const event of heard) socket.onmessage?.(event);
  });
  return socket;
}

/** The list of ICE servers: the first time the one that was asked for ahead, if it came. @param {Places} places @returns {Promise<IceServers>} */
export async function iceServers(places) {
  const ahead = window.ahead?.ice;
  delete window.ahead?.ice;
  return (await ahead) ?? (await request("GET", places.ice)).body;
}
