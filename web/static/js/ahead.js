// A plain script, in the page's head: the events' socket opens while the modules are still being fetched and read,
// and what it hears first waits for them (socket.js).
(() => {
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/sessions/${location.pathname.split("/").at(-1)}/events`);
  /** @type {MessageEvent[]} */
  const heard = [];
  socket.onmessage = (event) => heard.push(event);
  window.ahead = { socket, heard };
})();
