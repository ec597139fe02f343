// What a session's page begins before its modules are there: the events' socket opens, the ICE servers are asked for, and
// the first connection is offered. A browser's first takes far longer than its second, and the server keeps the offer
// until the machine is there. The modules find it all in opening.js and line.js. The page of a session has this text in
// its head, and it runs there before anything is fetched; the dashboard imports it, and goes ahead when it opens one.
window.goAhead ??= (session, line) => {
  const OPEN = 1;
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/sessions/${session}/events`);
  /** @type {MessageEvent[]} */
  const heard = [];
  socket.onmessage = (event) => heard.push(event);
  const ice = fetch("/api/webrtc/ice-servers", { credentials: "same-origin", cache: "no-store" })
    .then((response) => (response.ok ? response.json() : null))
    .catch(() => null);
  const peer = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const offered = { peer, epoch: 1, sdp: "" };
  const ahead = (window.ahead = { socket, heard, ice, line, offered });
  /** @type {() => void} */
  let told = () => {};
  const sent = /** @type {Promise<void>} */ (new Promise((resolve) => (told = resolve)));

  /** @param {string | undefined} sdp */
  const offer = (sdp) => {
    // Whoever has taken the line offers it. A page that nobody sees connects once it is seen: the machine waits 30 s, not longer.
    if (document.hidden || !sdp || !ahead.line || socket.readyState !== OPEN) return;
    offered.sdp = sdp;
    socket.send(JSON.stringify({ type: "offer", ...offered }));
    told();
  };
  line?.offer.then(({ sdp }) => {
    if (socket.readyState === OPEN) offer(sdp);
    else socket.addEventListener("open", () => offer(sdp), { once: true });
  }, () => {});
  return sent;
};
if (location.pathname.startsWith("/session/")) {
  const line = typeof RTCPeerConnection === "function" ? window.connections?.make() : undefined;
  window.goAhead(location.pathname.split("/").at(-1) ?? "", line);
}
