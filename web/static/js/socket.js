import { socketUrl } from "./api.js";

const OPEN = 1;

/** The events' socket of a session: the first time the one that the page opened ahead, if it lives. @param {string} id */
export function eventsSocket(id) {
  return takeAhead() ?? new WebSocket(socketUrl(`/api/sessions/${id}/events`));
}

/** Whoever takes it sets its handlers at once; then what was heard so far comes, in order. */
function takeAhead() {
  const { ahead } = window;
  delete window.ahead;
  if (!ahead || ahead.socket.readyState > OPEN) return null;
  const { socket, heard } = ahead;
  socket.onmessage = null;
  queueMicrotask(() => {
    if (socket.readyState === OPEN) socket.onopen?.(new Event("open"));
    for (const event of heard) socket.onmessage?.(event);
  });
  return socket;
}
