import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WAITS } from "../static/js/waits.js";
import { ANSWER, OFFER, SESSION, anew, connected, pass, ready, server, settle, signal, sockets, start, told, types } from "./signal_bench.js";

describe("an offer that went ahead of the page's modules", () => {
  const ANSWERED = { type: "answer", epoch: 1, sdp: "ANSWER" };
  const answer = { type: "answer", peer: "me", epoch: 1, sdp: "ANSWER" };
  /** A signal whose first socket is open, and has carried an offer already. */
  const begin = async () => {
    anew({ ahead: { epoch: 1, sdp: "OFFER" } });
    await connected();
  };

  test("is not sent again, and its answer is told once it is asked for", async () => {
    await begin();
    sockets[0].says(answer);
    assert.deepEqual(told, []);
    signal.offer(1, "OFFER");
    assert.deepEqual([sockets[0].sent, told], [[], [ANSWERED]]);
    sockets[0].says(answer);
    assert.deepEqual(told, [ANSWERED], "once");
  });

  test("may be answered later, or refused before", async () => {
    await begin();
    signal.offer(1, "OFFER");
    sockets[0].says(answer);
    assert.deepEqual([sockets[0].sent, told], [[], [ANSWERED]]);
    await begin();
    sockets[0].says(answer);
    sockets[0].says({ type: "refused", peer: "me", epoch: 1, code: "peer_lost", message: "m" });
    signal.offer(1, "OFFER");
    assert.deepEqual(told, [{ type: "refused", epoch: 1, code: "peer_lost", message: "m", early: true }], "the newest word counts");
  });

  test("whose socket is lost is asked for by HTTP; another offer goes its own way", async () => {
    server.on(OFFER, { status: 202, body: {} });
    server.on(ANSWER, { status: 200, body: { sdp: "ANSWER" } });
    await begin();
    sockets[0].closes();
    await settle();
    told.length = 0;
    signal.offer(1, "OFFER");
    await settle();
    assert.deepEqual([told, server.count(OFFER)], [[ANSWERED], 1], "it may not have arrived");
    await begin();
    signal.offer(2, "OTHER");
    sockets[0].says(answer);
    assert.deepEqual([sockets[0].sent.length, told], [1, []]);
  });
});

describe("too many offers", () => {
  const many = { code: "too_many", message: "wait" };
  const refused = { type: "refused", epoch: 1, ...many };

  test("the time that the server asks for is told, by either way, within reason", async () => {
    for (const [retry_after, waitMs] of [[12, 12_000], [1e9, WAITS.patienceMs]]) {
      await connected();
      signal.offer(1, "OFFER");
      sockets.at(-1).says({ ...refused, peer: "me", retry_after });
      assert.deepEqual([told.at(-1)], [{ ...refused, waitMs }]);
    }
    server.on(OFFER, { status: 429, ...many, retryAfterS: 7 });
    await start();
    sockets.at(-1).closes();
    signal.offer(1, "OFFER");
    await settle();
    assert.deepEqual(told.at(-1), { ...refused, waitMs: 7000 });
  });

  test("no other refusal makes a page wait, and no nonsense", async () => {
    for (const said of [{ code: "no_answer", retry_after: 5 }, { retry_after: "x" }, { retry_after: -1 }, {}]) {
      await connected();
      signal.offer(1, "OFFER");
      sockets.at(-1).says({ ...refused, peer: "me", ...said });
      assert.deepEqual([told.at(-1)], [{ ...refused, code: said.code ?? "too_many" }]);
    }
  });
});

describe("the WebSocket", () => {
  test("sessions, answers and refusals are told; others' and nonsense are not", async () => {
    await connected();
    signal.offer(1, "OFFER");
    assert.deepEqual(sockets[0].sent, [{ type: "offer", peer: "me", epoch: 1, sdp: "OFFER" }]);
    sockets[0].says({ type: "session", session: ready.body });
    sockets[0].says({ type: "session", session: { id: "ses_b" } });
    sockets[0].says({ type: "answer", peer: "other", epoch: 1, sdp: "X" });
    sockets[0].says({ type: "answer", peer: "me", epoch: 7, sdp: "X" });
    sockets[0].says({ type: "answer", peer: "me", epoch: 1, sdp: 5 });
    for (const nonsense of ["", "{", "null", "5", "[]", '{"type":"unheard of"}']) sockets[0].says(nonsense);
    sockets[0].says({ type: "answer", peer: "me", epoch: 1, sdp: "ANSWER" });
    sockets[0].says({ type: "answer", peer: "me", epoch: 1, sdp: "AGAIN" });
    assert.deepEqual(told, [
      { type: "session", session: ready.body },
      { type: "answer", epoch: 1, sdp: "ANSWER" },
    ]);
  });

  test("a refusal ends its offer", async () => {
    await connected();
    signal.offer(1, "OFFER");
    sockets[0].says({ type: "refused", peer: "me", epoch: 1, code: "unavailable", message: "later" });
    assert.deepEqual(told, [{ type: "refused", epoch: 1, code: "unavailable", message: "later" }]);
  });

  test("a page whose name is another's goes by a new one", async () => {
    await connected();
    sockets[0].says({ type: "refused", peer: "other", epoch: null, code: "peer_taken", message: "m" });
    sockets[0].says({ type: "refused", peer: "me", epoch: null, code: "refused", message: "m" });
    assert.equal(signal.peer, "me");
    sockets[0].seats.length = 0;
    const taken = { type: "refused", peer: "me", epoch: null, code: "peer_taken", message: "m" };
    sockets[0].says(taken);
    sockets[0].says(taken);
    const second = signal.peer;
    assert.match(second, /^[0-9a-f]{32}$/);
    assert.deepEqual(sockets[0].seats, [{ type: "seat", do: "here", peer: second }], "once");
    signal.offer(4, "OFFER");
    sockets[0].says({ ...taken, peer: second, epoch: 4 });
    assert.deepEqual(told, [{ type: "refused", epoch: 4, code: "peer_taken", message: "m" }]);
    signal.offer(5, "AGAIN");
    const names = sockets[0].sent.map((/** @type {any} */ { peer }) => peer);
    assert.deepEqual(names, [second, signal.peer]);
    assert.equal(sockets[0].seats.at(-1).peer, signal.peer);
    assert.notEqual(signal.peer, second);
  });

  test("a page that noVNC turned away by its name comes anew by another, the events as well", async () => {
    await connected();
    signal.taken("other");
    assert.equal(sockets.length, 1);
    signal.taken("me");
    signal.taken("me");
    assert.equal(sockets.length, 2, "once: the second word is of a name that is gone");
    assert.match(signal.peer, /^[0-9a-f]{32}$/);
    assert.equal(sockets[0].readyState, 3);
    sockets[1].opens();
    assert.deepEqual(sockets[1].seats, [{ type: "seat", do: "here", peer: signal.peer }]);
    signal.close();
    signal.taken(signal.peer);
    assert.equal(sockets.length, 2);
  });

  test("after the answer only the stream server's death is told", async () => {
    await connected();
    signal.offer(1, "OFFER");
    sockets[0].says({ type: "answer", peer: "me", epoch: 1, sdp: "ANSWER" });
    told.length = 0;
    const says = (more) => sockets[0].says({ type: "refused", peer: "me", epoch: 1, message: "m", ...more });
    for (const more of [{ code: "no_answer" }, {}]) says(more);
    for (const more of [{ peer: "other" }, { epoch: "1" }, { epoch: null }]) says({ code: "stream_server_died", ...more });
    assert.deepEqual(told, []);
    signal.offer(2, "NEXT");
    says({ code: "stream_server_died" });
    assert.deepEqual(told, [{ type: "refused", epoch: 1, code: "stream_server_died", message: "m" }]);
    sockets[0].says({ type: "answer", peer: "me", epoch: 2, sdp: "B" });
    assert.deepEqual(told.at(-1), { type: "answer", epoch: 2, sdp: "B" }, "the offer that waits still waits");
  });

  test("a ping is answered", async () => {
    await connected();
    sockets[0].says({ type: "ping" });
    assert.deepEqual(sockets[0].sent, [{ type: "pong" }]);
  });

  test("it comes back by itself, each time a little later, and at once when nudged", async () => {
    await start();
    sockets[0].closes();
    await pass(WAITS.again.firstMs - 100);
    assert.equal(sockets.length, 1);
    await pass(200);
    assert.equal(sockets.length, 2);
    sockets[1].closes();
    await pass(WAITS.again.firstMs);
    assert.equal(sockets.length, 2);
    signal.nudge();
    assert.equal(sockets.length, 3);
  });

  test("one that never opens is given up", async () => {
    await start();
    await pass(WAITS.openMs + WAITS.again.firstMs + 100);
    assert.equal(sockets.length, 2);
    assert.equal(sockets[0].readyState, 3);
  });

  test("one that falls silent is replaced", async () => {
    await connected();
    await pass(WAITS.silentMs - 1000);
    sockets[0].says({ type: "ping" });
    await pass(WAITS.silentMs - 1000);
    assert.equal(sockets.length, 1);
    await pass(1000 + WAITS.again.firstMs + 200);
    assert.equal(sockets.length, 2);
  });

  test("one that may be dead is asked, and a newer one takes over soon", async () => {
    await connected();
    signal.nudge();
    signal.nudge();
    assert.deepEqual(sockets[0].sent, [{ type: "ping" }], "asked once");
    sockets[0].says({ type: "pong" });
    await pass(WAITS.doubtMs);
    assert.equal(sockets.length, 1);
    signal.nudge();
    await pass(2000 + WAITS.again.firstMs);
    assert.equal(sockets.length, 2);
  });

  test("an offer that a dead one swallowed goes by HTTP, soon", async () => {
    server.on(OFFER, { status: 202 });
    server.on(ANSWER, { status: 200, body: { sdp: "ANSWER" } });
    await connected();
    const { now } = performance;
    performance.now = () => now.call(performance) + WAITS.livelyMs + 1;
    signal.offer(1, "OFFER");
    performance.now = now;
    assert.deepEqual(sockets[0].sent.map(({ type }) => type), ["offer", "ping"]);
    await pass(2000 + 100);
    assert.equal(server.count(OFFER), 1);
    assert.deepEqual(told.at(-1), { type: "answer", epoch: 1, sdp: "ANSWER" });
  });

  test("signed out is told; signed in again elsewhere, it goes on", async () => {
    await connected();
    server.on(SESSION, { status: 401, code: "unauthenticated" }, ready);
    sockets[0].closes(4401);
    await settle();
    assert.ok(types().includes("signed-out"));
    await pass(WAITS.pollMs + 100);
    assert.equal(types().at(-1), "session");
    assert.equal(sockets.length, 2);
  });

  test("a word from the server that the session is unknown is checked before it is believed", async () => {
    await connected();
    sockets[0].closes(4404);
    await settle();
    assert.ok(!types().includes("missing"));
    assert.ok(types().includes("session"), "the session lives: the API said so");
  });
});

describe("the seat", () => {
  test("is said to be here each time a socket opens, and asked for by it", () => {
    signal.start();
    sockets[0].opens();
    signal.seat("give", "other");
    signal.seat("leave");
    const peer = signal.peer;
    assert.deepEqual(sockets[0].seats, [
      { type: "seat", do: "here", peer },
      { type: "seat", do: "give", peer, to: "other" },
      { type: "seat", do: "leave", peer },
    ]);
  });

  test("is said again by each socket that follows, before anything else", async () => {
    await connected();
    const order = [];
    for (const socket of [1, 2]) {
      sockets[socket - 1].closes();
      await pass(1500);
      const send = sockets[socket].send.bind(sockets[socket]);
      sockets[socket].send = (text) => (order.push(JSON.parse(text).type), send(text));
      signal.offer(socket, "OFFER");
      sockets[socket].opens();
      assert.deepEqual(sockets[socket].seats, [{ type: "seat", do: "here", peer: signal.peer }]);
      assert.deepEqual(order.splice(0).slice(0, 2), ["seat", "offer"]);
    }
  });

  test("goes by HTTP while there is none", async () => {
    signal.start();
    signal.seat("take");
    await settle();
    assert.equal(server.count("POST /api/sessions/ses_a/seats"), 1);
  });

  test("of everybody is told", () => {
    signal.start();
    sockets[0].opens();
    sockets[0].says({ type: "seats", viewers: [{ peer: "a", drives: true }], you: null });
    assert.deepEqual(told.find(({ type }) => type === "seats"), { type: "seats", viewers: [{ peer: "a", drives: true }] });
  });

  test("is lost with the link, which is the last that is told", async () => {
    await connected();
    sockets[0].onclose({ code: 4411, reason: "this link has expired" });
    await pass(20_000);
    assert.deepEqual(told.at(-1), { type: "link-over", why: "this link has expired" });
    assert.equal(sockets.length, 1);
  });
});
