import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { LIMITS } from "../static/js/limits.js";

/** @type {any[]} what went out by the control channel, without its numbers */
let sent;
/** @type {any} the newest connection's control channel, and all that it was given */
let control;
/** @type {any} its motion channel */
let motion;
let now = 0;

function channel() {
  const made = Object.assign(new EventTarget(), { readyState: "open", bufferedAmount: 0 });
  made.raw = [];
  made.hear = (...message) => made.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(message) }));
  made.send = (text) => {
    made.raw.push(JSON.parse(text));
    const [tag, , ...rest] = JSON.parse(text);
    sent.push([tag, ...rest]);
  };
  return made;
}

const make = () => ({
  connection: Object.assign(new EventTarget(), { getConfiguration: () => ({}), setConfiguration: () => {}, close: () => {} }),
  control: (control = channel()), motion: (motion = channel()), clipboard: channel(), audio: {}, offer: Promise.resolve({}),
});
globalThis.window = { connections: { make } };
const { Peer } = await import("../static/js/peer.js");

const CONTROL = 0xffe3;
const C = 0x63;

let peer;
let dropped;
beforeEach(() => {
  sent = [];
  now = 1000;
  dropped = [];
  mock.method(performance, "now", () => now);
  mock.timers.enable({ apis: ["setTimeout"] });
  peer = make_peer();
});
afterEach(() => {
  mock.restoreAll();
  mock.timers.reset();
});

const make_peer = () => new Peer([], { dropped: (count) => dropped.push(count), open: () => {}, message: () => {} });
/** The next connection of the page goes on from this one, the first. */
function goes_on() {
  const left = { epoch: 1, ...peer.left() };
  peer.close();
  peer = make_peer();
  sent = [];
  peer.inherit(left);
}

/** @param {...any[]} typed */
const say = (...typed) => typed.forEach((one) => peer.control(...one));
const tap = (keysym) => [["k", keysym, 1], ["k", keysym, 0]];

test("a ping says which picture was drawn, where that is known", () => {
  peer.ping(1);
  peer.ping(2, 4_294_967_295);
  assert.deepEqual(motion.raw, [["p", 1], ["p", 2, 4_294_967_295]]);
});

test("a doubt that passes soon leaves what was typed as it was", () => {
  say(["k", CONTROL, 1]);
  peer.hold(true);
  say(...tap(C), ["k", CONTROL, 0]);
  assert.deepEqual(sent, [["k", CONTROL, 1]]);
  peer.hold(false);
  assert.deepEqual(sent, [["k", CONTROL, 1], ...tap(C), ["k", CONTROL, 0]]);
  assert.deepEqual(dropped, []);
});

test("a doubt that lasts lets go of all keys: one that went up in it would stay down", () => {
  for (const typed of [[["k", CONTROL, 0]], [...tap(C), ["k", CONTROL, 0]]]) {
    sent = [];
    say(["k", CONTROL, 1]);
    peer.hold(true);
    say(...typed);
    now += LIMITS.gap.keepMs + 1;
    peer.hold(false);
    assert.deepEqual(sent, [["k", CONTROL, 1], ["r"]]);
  }
  assert.deepEqual(dropped, [1], "the page says so where a key press was among it");
});

test("a held key repeats at once or not at all: not when nobody knows whether it arrives, and nothing says it again", () => {
  say(["k", C, 1]);
  peer.again(C);
  assert.deepEqual(sent, [["k", C, 1], ["k", C, 1]]);
  control.bufferedAmount = 10_000;
  peer.again(C);
  control.bufferedAmount = 0;
  peer.hold(true);
  peer.again(C);
  assert.equal(sent.length, 2);
  const { sent: log, kept } = peer.left();
  assert.deepEqual([log.map(({ typed }) => typed), kept], [[["k", C, 1]], []]);
});

test("another rung is told what went to this one and was not acknowledged, and with which modifiers", () => {
  say(["k", CONTROL, 1]);
  mock.timers.tick(LIMITS.gap.acknowledgeMs);
  assert.deepEqual(control.raw.at(-1), ["p", 1], "it is asked for");
  control.hear("p", 1);
  say(...tap(C));
  peer.hold(true);
  say(...tap(0x64));
  const { sent: log, kept, held } = peer.left();
  assert.deepEqual([log.map(({ typed }) => typed), kept, held], [tap(C), tap(0x64), [CONTROL]]);
  assert.deepEqual(peer.left().sent, [], "once");
});

test("an acknowledgement is asked for while something is typed, and then no more", () => {
  say(...tap(C), ...tap(C));
  mock.timers.tick(LIMITS.gap.acknowledgeMs);
  mock.timers.tick(10 * LIMITS.gap.acknowledgeMs);
  assert.equal(sent.filter(([tag]) => tag === "p").length, 1);
  control.hear("p", 4);
  assert.deepEqual(peer.left().sent, []);
});

test("the next connection asks how much arrived, and says the rest before what is typed meanwhile", () => {
  say(["k", CONTROL, 1], ...tap(C), ["k", CONTROL, 0], ["b", 1, 2, 1, 1], ["b", 1, 2, 1, 0]);
  peer.hold(true);
  say(...tap(0x64));
  goes_on();
  say(...tap(0x65), ["h", [0x65]]);
  assert.deepEqual(control.raw, [["o", 1, 1]], "and nothing else");
  control.hear("had", 1, 2);
  const rest = [["b", 1, 2, 1, 1], ["b", 1, 2, 1, 0], ...tap(0x64), ...tap(0x65)];
  assert.deepEqual(sent.slice(1), rest, "what goes up that this one never pressed is left out");
  control.hear("had", 1, 0);
  assert.equal(sent.length, 1 + rest.length, "once");
  assert.deepEqual(dropped, []);
});

test("where nothing is unacknowledged nobody is asked; an answer that is there already is used", () => {
  peer.hold(true);
  say(...tap(C));
  goes_on();
  assert.deepEqual(sent, tap(C));
  const left = { epoch: 1, ...peer.left() };
  peer = make_peer();
  peer.ask(1);
  control.hear("had", 1, 1);
  sent = [];
  peer.inherit(left);
  assert.deepEqual(sent, [], "a lone release is no key that this one knows");
});

test("without an answer what was never sent is typed, and of the rest it is said how much", () => {
  for (const silent of [true, false]) {
    peer = make_peer();
    sent = [];
    dropped = [];
    say(...tap(C), ["t", "é"]);
    peer.hold(true);
    say(...tap(0x64));
    goes_on();
    if (silent) mock.timers.tick(1500);
    else control.hear("had", 1, -1);
    assert.deepEqual([sent.slice(1), dropped], [tap(0x64), [2]]);
  }
});

test("what comes too late is not typed, and said; one that breaks too leaves all of it to the next", () => {
  say(...tap(C));
  goes_on();
  say(...tap(0x64));
  goes_on();
  control.hear("had", 1, 0);
  assert.deepEqual([sent.slice(1), dropped], [[...tap(C), ...tap(0x64)], []]);
  const left = peer.left();
  assert.deepEqual(left.sent.map(({ at }) => at), [1000, 1000, 1000, 1000], "as old as the oldest of it");
  peer = make_peer();
  now += LIMITS.gap.keepMs + 1;
  sent = [];
  peer.inherit({ epoch: 2, ...left });
  control.hear("had", 2, 0);
  assert.deepEqual([sent.slice(1), dropped], [[], [2]]);
});

test("once the desktop is given on, nothing that was typed before is said again", () => {
  say(...tap(C));
  peer.hold(true);
  say(...tap(C));
  control.hear("drives", 0);
  goes_on();
  assert.deepEqual([sent, dropped], [[], []]);
});

test("no click and no turn of the wheel overtakes a key that waits; without one they go at once", () => {
  const [click, turn] = [["b", 5, 6, 1, 1], ["w", 5, 6, 0, 1]];
  peer.hold(true);
  say(click, turn);
  assert.deepEqual(sent, [click, turn]);
  say(["k", CONTROL, 1], click, turn, ["k", CONTROL, 0]);
  assert.deepEqual(sent, [click, turn]);
  peer.hold(false);
  assert.deepEqual(sent, [click, turn, ["k", CONTROL, 1], click, turn, ["k", CONTROL, 0]]);
});

test("what is held now is not said before the keys that wait", () => {
  say(["k", CONTROL, 1]);
  peer.hold(true);
  say(["h", [CONTROL]], ["k", C, 1], ["k", CONTROL, 0], ["h", [C]]);
  peer.hold(false);
  say(["h", [C]]);
  assert.deepEqual(sent, [["k", CONTROL, 1], ["h", [CONTROL]], ["k", C, 1], ["k", CONTROL, 0], ["h", [C]]]);
});

test("an offer goes out while the browser still sets it up, and an answer that is there sooner waits for that", async () => {
  const done = [];
  let described = () => {};
  const line = make();
  Object.assign(line.connection, {
    signalingState: "stable",
    setLocalDescription: () => new Promise((resolve) => (described = resolve)),
    setRemoteDescription: async ({ sdp }) => void done.push(sdp),
  });
  window.connections.make = () => ({ ...line, offer: Promise.resolve({ type: "offer", sdp: "ours" }) });
  const other = new Peer([], { offer: (sdp) => done.push(sdp), dropped: () => {}, open: () => {}, message: () => {} });
  window.connections.make = make;
  const opening = other.open();
  await null;
  await null;
  assert.deepEqual(done, ["ours"]);
  const answering = other.answer("theirs");
  await null;
  assert.deepEqual(done, ["ours"]);
  line.connection.signalingState = "have-local-offer";
  described();
  await Promise.all([opening, answering]);
  assert.deepEqual(done, ["ours", "theirs"]);
});
