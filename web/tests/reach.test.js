import assert from "node:assert/strict";
import { test } from "node:test";
import { isClosed } from "../static/js/format.js";
import { judge, relaysOf } from "../static/js/reach.js";

const found = (connected, rest = {}) => ({ connected, ms: 10, codec: "", pairs: [], errors: [], why: "", refused: false, ...rest });
const turn = (connected, rest) => [{ name: "TURN over TCP", found: found(connected, rest) }];

test("all well", () => {
  const { standing, verdict } = judge({ codec: true, socket: true, novnc: "", direct: found(true), relays: [] });
  assert.equal(standing, "good");
  assert.match(verdict, /All well/);
});

test("UDP cut: the relay, then noVNC, is what is left", () => {
  assert.match(judge({ codec: true, socket: true, novnc: "", direct: found(false), relays: turn(true) }).verdict, /blocked; the relay works \(TURN over TCP\)/);
  const left = judge({ codec: true, socket: true, novnc: "", direct: found(false), relays: [] });
  assert.match(left.verdict, /blocked; noVNC works/);
  assert.match(left.advice, /no TURN relay/);
});

test("a wrong TURN secret is named", () => {
  const relays = turn(false, { errors: ["turn:host 401 Unauthorized"] });
  assert.match(judge({ codec: true, socket: true, novnc: "", direct: found(false), relays }).advice, /secret differs/);
});

test("a relay that is reached, and may not send to the door, is not called unreachable", () => {
  const pairs = [{ local: "relay by tcp 192.0.2.1:50000 udp", remote: "host 192.0.2.2:7 udp", state: "failed", selected: false }];
  const { advice } = judge({ codec: true, socket: true, novnc: "", direct: found(false), relays: turn(false, { pairs }) });
  assert.match(advice, /reached, but is not let through.*allowed-peer-ip/);
  assert.match(judge({ codec: true, socket: true, novnc: "", direct: found(false), relays: turn(false) }).advice, /not reached by any way/);
});

test("what the server did not let be looked at is said in its own words", () => {
  const busy = { why: "too many looks at once", refused: true };
  const relayed = judge({ codec: true, socket: true, novnc: "", direct: found(false), relays: turn(false, busy) });
  assert.match(relayed.advice, /not looked at: Too many looks at once\./);
  const direct = judge({ codec: true, socket: true, novnc: "", direct: found(false, busy), relays: [] });
  assert.match(direct.verdict, /took no look/);
  assert.match(direct.advice, /^Too many looks at once\. That says nothing of your network/);
});

test("a session that is ready and answers no offer is not called over, and noVNC is what is left", () => {
  const direct = found(false, { why: "The machine did not answer." });
  const left = judge({ codec: true, socket: true, novnc: "", direct, relays: [], state: "ready" });
  assert.equal(left.standing, "weak");
  assert.match(left.verdict, /stream server does not answer/);
  assert.match(left.advice, /noVNC/);
  assert.equal(judge({ codec: true, socket: false, novnc: "It is cut on the way.", direct, relays: [], state: "ready" }).standing, "bad");
  assert.match(judge({ codec: true, socket: true, novnc: "", direct, relays: [], state: "starting" }).advice, /the session is starting/);
});

test("nothing at all, no answer, no codec, no WebSocket", () => {
  assert.equal(judge({ codec: true, socket: false, novnc: "It is cut on the way.", direct: found(false), relays: [] }).standing, "bad");
  assert.match(judge({ codec: true, socket: true, novnc: "", direct: found(false, { why: "The machine did not answer." }), relays: [] }).verdict, /no answer/);
  assert.match(judge({ codec: false, socket: true, novnc: "", direct: null, relays: [] }).verdict, /H\.264/);
  assert.match(judge({ codec: true, socket: false, novnc: "It is cut on the way.", direct: found(true), relays: [] }).advice, /WebSockets are cut/);
});

test("noVNC is what was tried, not what WebSockets promise", () => {
  const vain = { codec: true, socket: true, novnc: "the machine's display cannot be reached", relays: [] };
  const both = judge({ ...vain, direct: found(false) });
  assert.equal(both.standing, "bad");
  assert.match(both.advice, /tried in vain: The machine's display cannot be reached\./);
  assert.equal(judge({ ...vain, direct: found(true) }).standing, "weak");
  assert.equal(judge({ ...vain, codec: false, direct: null }).standing, "bad");
  assert.equal(judge({ ...vain, direct: found(false, { why: "The machine did not answer." }), state: "ready" }).standing, "bad");
});

test("each TURN URL is a look of its own", () => {
  const relays = relaysOf([{ urls: "stun:a" }, { urls: ["turn:a?transport=udp", "turn:a?transport=tcp", "turns:a?transport=tcp"], username: "u", credential: "c" }]);
  assert.deepEqual(relays.map(({ name }) => name), ["TURN over UDP", "TURN over TCP", "TURN over TLS"]);
  assert.deepEqual(relays[1]?.server, { urls: "turn:a?transport=tcp", username: "u", credential: "c" });
});

test("of a session that is over nothing is tried", () => {
  assert.deepEqual(["requested", "booting", "ready", "stopping", "ended", "failed", undefined].filter((state) => isClosed(state && { state })), ["stopping", "ended", "failed"]);
});
