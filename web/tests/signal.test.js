import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { Signal } from "../static/js/signal.js";
import { WAITS } from "../static/js/waits.js";

/** A WebSocket in the test's hand. */
class FakeSocket {
  readyState = 0;
  sent = [];
  seats = [];
  onopen = null;
  onmessage = null;
  onclose = null;

  send(text) {
    const message = JSON.parse(text);
    (message.type === "seat" ? this.seats : this.sent).push(message);
  }
  close() {
    this.readyState = 3;
  }
  opens() {
    this.readyState = 1;
    this.onopen?.();
  }
  says(message) {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }
  closes(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

/** A server in the test's hand: answers by "METHOD path", in turn, the last one again and again. */
class FakeServer {
  asked = [];
  answers = new Map();

  on(what, ...answers) {
    this.answers.set(what, answers);
  }

  request = async (method, path, options = {}) => {
    const what = `${method} ${path.split("?")[0]}`;
    this.asked.push([what, options.body ?? null, path]);
    const answers = this.answers.get(what) ?? [];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) throw Object.assign(new Error("away"), { status: 0 });
    if (answer === "hang") {
      return new Promise((_, fail) => options.signal?.addEventListener("abort", () => fail({ status: 0 })));
    }
    if (answer.status >= 400) throw answer;
    return answer;
  };

  count(what) {
    return this.asked.filter(([asked]) => asked === what).length;
  }
}

const SESSION = "GET /api/sessions/ses_a";
const OFFER = "POST /api/webrtc/session/ses_a/offer";
const ANSWER = "GET /api/webrtc/session/ses_a/answer";
const ready = { status: 200, body: { id: "ses_a", state: "ready" } };

let server, sockets, told, signal;
const types = () => told.map(({ type }) => type);
/** Let everything that waits for nothing but a promise happen. */
const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};
const pass = async (ms) => {
  for (let left = ms; left > 0; left -= 100) {
    mock.timers.tick(Math.min(100, left));
    await settle();
  }
};

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  server = new FakeServer();
  server.on(SESSION, ready);
  sockets = [];
  told = [];
  signal = new Signal({
    id: "ses_a",
    peer: "me",
    request: server.request,
    open: () => (sockets.push(new FakeSocket()), sockets.at(-1)),
    tell: (event) => told.push(event),
    random: () => 1,
  });
});
afterEach(() => {
  signal.close();
  mock.timers.reset();
});

const start = async () => {
  signal.start();
  await settle();
  told.length = 0;
};
const connected = async () => {
  await start();
  sockets[0].opens();
};

describe("an offer that went ahead of the page's modules", () => {
  const ANSWERED = { type: "answer", epoch: 1, sdp: "ANSWER" };
  const answer = { type: "answer", peer: "me", epoch: 1, sdp: "ANSWER" };
  /** A signal whose first socket is open, and has carried an offer already. */
  const begin = async () => {
    signal.close();
    sockets = [];
    const open = () => (sockets.push(new FakeSocket()), sockets.at(-1));
    const tell = (event) => told.push(event);
    const ahead = { epoch: 1, sdp: "OFFER" };
    signal = new Signal({ id: "ses_a", peer: "me", request: server.request, open, tell, random: () => 1, ahead });
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
    await pass(WAITS.doubtMs + WAITS.again.firstMs);
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
    await pass(WAITS.doubtMs + 100);
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
    signal.close();
    told.length = 0;
    signal = new Signal({
      id: "ses_a", peer: "me", request: server.request, random: () => 1,
      open: () => (sockets.push(new FakeSocket()), sockets.at(-1)), tell: (event) => told.push(event),
    });
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
