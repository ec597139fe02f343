import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { beforeEach, test } from "node:test";
import { runInNewContext } from "node:vm";
import { eventsSocket, iceServers } from "../static/js/opening.js";
import { ownersPlaces } from "../static/js/places.js";

class FakeSocket {
  static made = [];
  readyState = 0;
  onopen = null;
  onmessage = null;

  constructor(url) {
    this.url = url;
    FakeSocket.made.push(this);
  }
}

beforeEach(() => {
  FakeSocket.made = [];
  globalThis.window = {};
  globalThis.location = { href: "https://host/session/ses_a" };
  globalThis.WebSocket = FakeSocket;
});

/** Take the socket as the signal does, and write down what it hears. */
function take() {
  const heard = [];
  const socket = eventsSocket(ownersPlaces("ses_a"));
  socket.onopen = () => heard.push("open");
  socket.onmessage = ({ data }) => heard.push(data);
  return { socket, heard };
}

/** What the page's first script leaves. */
function openedAhead(readyState, ...messages) {
  const socket = new FakeSocket("ahead");
  socket.readyState = readyState;
  globalThis.window.ahead = { socket, heard: messages.map((data) => ({ data })) };
  return socket;
}

test("without one ahead a socket is opened", () => {
  assert.equal(take().socket.url, "wss://host/api/sessions/ses_a/events");
});

test("one ahead is taken once, with all it heard, in order", async () => {
  const ahead = openedAhead(1, "a", "b");
  const { socket, heard } = take();
  assert.equal(socket, ahead);
  await Promise.resolve();
  ahead.onmessage({ data: "c" });
  assert.deepEqual(heard, ["open", "a", "b", "c"]);
  assert.notEqual(take().socket, ahead);
});

test("one that is still opening tells of it itself", async () => {
  const ahead = openedAhead(0);
  const { heard } = take();
  await Promise.resolve();
  assert.deepEqual(heard, []);
  ahead.onopen();
  assert.deepEqual(heard, ["open"]);
});

test("one that is closed already is not taken", () => {
  const ahead = openedAhead(3, "a");
  assert.notEqual(take().socket, ahead);
});

test("what was offered by one that is closed already is offered again, for its answer may be lost with it", () => {
  const offer = () => ({ peer: "me", epoch: 1, sdp: "OFFER" });
  for (const [state, sdp] of [[3, ""], [2, ""], [1, "OFFER"], [0, "OFFER"]]) {
    openedAhead(Number(state));
    const offered = (globalThis.window.ahead.offered = offer());
    take();
    take();
    assert.deepEqual(offered, { peer: "me", epoch: 1, sdp });
  }
});

test("the head offers a connection when it is seen, and none when it opens in the background", async () => {
  const script = await readFile(new URL("../static/js/ahead.js", import.meta.url), "utf8");
  for (const hidden of [false, true]) {
    const sent = [];
    const window = { connections: { make: () => ({ offer: Promise.resolve({ sdp: "OFFER" }) }) } };
    runInNewContext(script, {
      window, document: { hidden }, location: { origin: "https://host", pathname: "/session/ses_a" }, crypto: globalThis.crypto,
      RTCPeerConnection: class {}, fetch: async () => ({ ok: false }),
      WebSocket: class {
        readyState = 1;
        send = (text) => sent.push(JSON.parse(text));
      },
    });
    await new Promise(setImmediate);
    assert.deepEqual(sent.map(({ type, epoch, sdp }) => [type, epoch, sdp]), hidden ? [] : [["offer", 1, "OFFER"]]);
    assert.equal(window.ahead.offered.sdp, hidden ? "" : "OFFER");
  }
});

test("the dashboard begins nothing until a session is opened in its place", async () => {
  const script = await readFile(new URL("../static/js/ahead.js", import.meta.url), "utf8");
  const opened = [];
  const window = {};
  runInNewContext(script, {
    window, document: { hidden: false }, location: { origin: "https://host", pathname: "/dashboard/remote-cli" },
    crypto: globalThis.crypto, fetch: async () => ({ ok: false }),
    WebSocket: class {
      readyState = 0;
      constructor(url) {
        opened.push(url);
      }
      addEventListener(_, open) {
        this.open = open;
      }
      send() {}
    },
  });
  assert.deepEqual([opened, window.ahead], [[], undefined]);
  const line = { offer: Promise.resolve({ sdp: "OFFER" }) };
  const offered = window.goAhead("ses_b", line).then(() => "offered");
  await new Promise(setImmediate);
  assert.equal(await Promise.race([offered, "waits"]), "waits");
  window.ahead.socket.readyState = 1;
  window.ahead.socket.open();
  assert.equal(await offered, "offered");
  assert.deepEqual(opened, ["wss://host/api/sessions/ses_b/events"]);
  assert.equal(window.ahead.line, line);
});

test("ICE servers asked for ahead are taken once, and asked for again when they did not come", async () => {
  let asked = 0;
  globalThis.fetch = async () => {
    asked += 1;
    return new Response(JSON.stringify({ ice_servers: ["fresh"] }), { headers: { "Content-Type": "application/json" } });
  };
  globalThis.window.ahead = { ice: Promise.resolve({ ice_servers: ["ahead"] }) };
  assert.deepEqual(await iceServers(ownersPlaces("ses_a")), { ice_servers: ["ahead"] });
  assert.equal(asked, 0);
  assert.deepEqual(await iceServers(ownersPlaces("ses_a")), { ice_servers: ["fresh"] });
  globalThis.window.ahead = { ice: Promise.resolve(null) };
  assert.deepEqual(await iceServers(ownersPlaces("ses_a")), { ice_servers: ["fresh"] });
  assert.equal(asked, 2);
});
