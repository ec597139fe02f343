// A plain script, in the page's head: the events' socket opens, and the ICE servers are asked for, while the modules
// are still being fetched and read. They find both in opening.js.
(() => {
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/sessions/${location.pathname.split("/").at(-1)}/events`);
  /** @type {MessageEvent[]} */
  const heard = [];
  socket.onmessage = (event) => heard.push(event);
  const ice = fetch("/api/webrtc/ice-servers", { credentials: "same-origin", cache: "no-store" })
    .then((response) => (response.ok ? response.json() : null))
    .catch(() => null);
  window.ahead = { socket, heard, ice };
})();
