import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WAITS } from "../static/js/waits.js";
import { ANSWER, OFFER, SESSION, anew, connected, pass, ready, server, settle, signal, sockets, start, told, types } from "./signal_bench.js";

describe("without a WebSocket", () => {
  test("an offer waits a moment for one that is opening", async () => {
    await start();
    signal.offer(1, "OFFER");
    await pass(100);
    assert.equal(server.count(OFFER), 0);
    sockets[0].opens();
    assert.deepEqual(sockets[0].sent.map(({ type }) => type), ["offer"]);
    await pass(WAITS.offerMs);
    assert.equal(server.count(OFFER), 0, "never twice");
  });

  test("then it goes by HTTP, and the answer is asked for until it is there", async () => {
    server.on(OFFER, { status: 202, body: null });
    server.on(ANSWER, { status: 204, body: null }, { status: 204, body: null }, { status: 200, body: { sdp: "ANSWER" } });
    await start();
    signal.offer(3, "OFFER");
    await pass(WAITS.offerMs + 100);
    assert.deepEqual(server.asked.find(([what]) => what === OFFER)?.[1], { peer: "me", epoch: 3, sdp: "OFFER" });
    assert.match(server.asked.find(([what]) => what === ANSWER)?.[2], /\?peer=me&epoch=3&wait_ms=10000$/);
    assert.deepEqual(told.filter(({ type }) => type === "answer"), [{ type: "answer", epoch: 3, sdp: "ANSWER" }]);
  });

  test("a socket that breaks after the offer: the answer is fetched, the offer not repeated", async () => {
    server.on(ANSWER, { status: 200, body: { sdp: "ANSWER" } });
    await connected();
    signal.offer(1, "OFFER");
    sockets[0].closes();
    await settle();
    assert.equal(server.count(OFFER), 0);
    assert.ok(types().includes("answer"));
  });

  test("a stale epoch, a full house or an ended session refuse the offer with their code", async () => {
    server.on(OFFER, { status: 409, code: "stale_epoch", message: "old" });
    await start();
    sockets[0].closes();
    signal.offer(1, "OFFER");
    await settle();
    assert.deepEqual(told.at(-1), { type: "refused", epoch: 1, code: "stale_epoch", message: "old" });
  });

  test("a newer offer ends the asking for an older one", async () => {
    server.on(OFFER, { status: 202, body: null });
    server.on(ANSWER, "hang");
    await start();
    sockets[0].closes();
    signal.offer(1, "OLD");
    await settle();
    signal.offer(2, "NEW");
    await settle();
    assert.deepEqual(types().filter((type) => type === "refused"), []);
    assert.deepEqual(server.asked.filter(([what]) => what === OFFER).map(([, body]) => body.epoch), [1, 2]);
  });

  test("bye ends the asking too", async () => {
    server.on(OFFER, { status: 202, body: null });
    server.on(ANSWER, "hang");
    await start();
    sockets[0].closes();
    signal.offer(1, "OFFER");
    await settle();
    signal.bye(1);
    await settle();
    assert.ok(!types().includes("refused"));
  });

  test("the session is polled, and heartbeats are posted", async () => {
    server.on("POST /api/auth/session/ses_a/heartbeat", { status: 200, body: {} });
    await start();
    sockets[0].closes();
    const before = server.count(SESSION);
    await pass(WAITS.pollMs * 3 + 200);
    assert.ok(server.count(SESSION) >= before + 3);
    signal.heartbeat({ rung: "vnc", first_frame: true });
    assert.deepEqual(server.asked.at(-1).slice(0, 2), [
      "POST /api/auth/session/ses_a/heartbeat",
      { rung: "vnc", first_frame: true },
    ]);
  });

  test("with one, neither is polled nor posted", async () => {
    await connected();
    const before = server.asked.length;
    await pass(5000);
    signal.heartbeat({ rung: "webrtc" });
    assert.equal(server.asked.length, before);
    assert.deepEqual(sockets[0].sent.at(-1), { type: "heartbeat", rung: "webrtc" });
  });
});

describe("a controller that is away", () => {
  test("away and back are told once each", async () => {
    server.on(SESSION);
    await start();
    anew();
    signal.start();
    await settle();
    for (const socket of sockets) socket.closes();
    await pass(3000);
    assert.deepEqual(told, [{ type: "reachable", up: false }]);
    server.on(SESSION, ready);
    await pass(1500);
    assert.deepEqual(told.slice(1, 3), [{ type: "reachable", up: true }, { type: "session", session: ready.body }]);
  });

  test("a server that stumbles (503, or a proxy's 404 page) never makes a session missing", async () => {
    server.on(SESSION, { status: 503, code: "unavailable" }, { status: 404, code: "" }, { status: 404, code: "" });
    signal.start();
    sockets[0].closes();
    await pass(6000);
    assert.ok(!types().includes("missing"));
  });

  test("missing is told when the API says so twice in a row", async () => {
    server.on(SESSION, { status: 404, code: "not_found" });
    signal.start();
    sockets[0].closes();
    await settle();
    assert.ok(!types().includes("missing"));
    await pass(WAITS.pollMs + 200);
    assert.ok(types().includes("missing"));
  });

  test("nothing happens after close", async () => {
    await connected();
    signal.close();
    await pass(60_000);
    assert.equal(sockets.length, 1);
    assert.deepEqual(told, []);
  });
});
