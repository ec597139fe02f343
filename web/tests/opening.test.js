import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
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
