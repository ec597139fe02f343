import { afterEach, beforeEach, mock } from "node:test";
import { Signal } from "../static/js/signal.js";

/** A WebSocket in the test's hand. */
export class FakeSocket {
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
export class FakeServer {
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

export const SESSION = "GET /api/sessions/ses_a";
export const OFFER = "POST /api/webrtc/session/ses_a/offer";
export const ANSWER = "GET /api/webrtc/session/ses_a/answer";
export const ready = { status: 200, body: { id: "ses_a", state: "ready" } };

/** What a test has, anew for each. */
export let server, sockets, told, signal;
export const types = () => told.map(({ type }) => type);
/** Let everything that waits for nothing but a promise happen. */
export const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};
export const pass = async (ms) => {
  for (let left = ms; left > 0; left -= 100) {
    mock.timers.tick(Math.min(100, left));
    await settle();
  }
};

/** Another signal, with sockets of its own. @param {object} [options] */
export const anew = (options = {}) => {
  signal?.close();
  sockets = [];
  told = [];
  signal = new Signal({
    id: "ses_a",
    peer: "me",
    request: server.request,
    open: () => (sockets.push(new FakeSocket()), sockets.at(-1)),
    tell: (event) => told.push(event),
    random: () => 1,
    ...options,
  });
};

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  server = new FakeServer();
  server.on(SESSION, ready);
  anew();
});
afterEach(() => {
  signal.close();
  mock.timers.reset();
});

export const start = async () => {
  signal.start();
  await settle();
  told.length = 0;
};
export const connected = async () => {
  await start();
  sockets[0].opens();
};
