import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Ladder } from "../static/js/ladder.js";

const STEP_MS = 50;

/** A network that goes and returns; noVNC by it, peers by it, and a page that is told of each return. */
class Flapping {
  now = 0;
  /** @type {Record<string, number>} how often each command was given */
  did = {};
  #ladder = new Ladder(() => 1);
  /** @type {Map<number, number | null>} open peers, and when each was seen first by this network */
  #peers = new Map();
  #vncs = new Map();
  #was = true;
  #probed = 0;

  /** @param {{ periodMs: number, vncDies: boolean, signal: boolean, relay?: boolean }} network `signal`: the server's socket goes with it */
  constructor(network) {
    this.network = network;
  }

  get up() {
    return Math.floor(this.now / this.network.periodMs) % 2 === 0;
  }

  get rung() {
    return this.#ladder.rung;
  }

  say(type, rest = {}) {
    for (const command of this.#ladder.handle(/** @type {any} */ ({ type, now: this.now, ...rest }))) {
      this.did[command.do] = (this.did[command.do] ?? 0) + 1;
      if (command.do === "probe") this.#probed = this.now + 500;
      if (command.do === "open-peer") this.#peers.set(command.epoch, null);
      if (command.do === "close-peer") this.#peers.delete(command.epoch);
      if (command.do === "open-vnc") this.#vncs.set(command.vnc, null);
      if (command.do === "close-vnc") this.#vncs.delete(command.vnc);
      if (command.do === "ping" && this.up) this.#peers.set(command.epoch, this.#peers.get(command.epoch) ?? this.now);
    }
  }

  until(ms) {
    if (!this.now) this.say("ready");
    for (; this.now < ms; this.now += STEP_MS) {
      if (this.up !== this.#was) this.#turned();
      this.#was = this.up;
      this.say("tick");
      if (this.now === this.#probed) this.say("probed", { direct: false });
      if (this.up) this.#flow();
    }
    return this.did;
  }

  #turned() {
    if (this.network.signal) this.say("signal", { up: this.up });
    if (this.up) this.say("network");
    else if (this.network.vncDies) for (const vnc of this.#vncs.keys()) this.say("vnc-closed", { vnc });
  }

  /** What a network that is up brings: pictures after a third of a second, then frames and answers. */
  #flow() {
    for (const [epoch, since] of this.#peers) {
      if (since === null) this.#peers.set(epoch, this.now);
      else if (this.now - since === 300) this.say("picture", { epoch, relay: Boolean(this.network.relay) });
      else if (this.now - since > 300) {
        this.say("frame", { epoch });
        this.say("heard", { epoch, pong: true, sent: false });
      }
    }
    for (const [vnc, since] of this.#vncs) {
      if (since === null) this.#vncs.set(vnc, this.now);
      else if (this.now - since === 200) this.say("vnc-picture", { vnc });
    }
  }
}

describe("a network that goes and returns each three seconds", () => {
  for (const signal of [false, true]) {
    test(`leaves the picture on noVNC, where that lives: ${signal ? "the server goes too" : "the server stays"}`, () => {
      const { did } = run({ periodMs: 3000, vncDies: false, signal }, 60_000);
      assert.ok((did["show-peer"] ?? 0) + (did["show-vnc"] ?? 0) <= 9, JSON.stringify(did));
      assert.ok((did["open-peer"] ?? 0) <= 10, JSON.stringify(did));
    });

    test(`is not answered by a storm where nothing lives: ${signal ? "the server goes too" : "the server stays"}`, () => {
      const { did } = run({ periodMs: 3000, vncDies: true, signal }, 60_000);
      assert.ok((did["open-peer"] ?? 0) <= 12, JSON.stringify(did));
      assert.ok((did["open-vnc"] ?? 0) <= 24, JSON.stringify(did));
    });
  }

  test("beside a relay the direct way is not looked for at each turn", () => {
    const { did } = run({ periodMs: 3000, vncDies: false, signal: true, relay: true }, 60_000);
    assert.ok((did["probe"] ?? 0) <= 4, JSON.stringify(did));
  });

  test("and then stays: WebRTC is back within the longest wait", () => {
    const flapping = run({ periodMs: 3000, vncDies: false, signal: true }, 60_000);
    flapping.network = { periodMs: 1e9, vncDies: false, signal: true };
    flapping.until(60_000 + 60_000 + 17_000);
    assert.equal(flapping.rung, "webrtc");
  });

  test("once that is learnt, it is tried no more than four times a minute", () => {
    const flapping = run({ periodMs: 3000, vncDies: false, signal: true }, 300_000);
    const before = flapping.did["open-peer"] ?? 0;
    flapping.until(600_000);
    assert.ok((flapping.did["open-peer"] ?? 0) - before <= 20, JSON.stringify(flapping.did));
  });
});

function run(network, ms) {
  const flapping = new Flapping(network);
  flapping.until(ms);
  return flapping;
}
