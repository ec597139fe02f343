import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Ladder } from "../static/js/ladder.js";
import { LIMITS } from "../static/js/limits.js";

/** A page on a network: a still picture repeated each 2 s, pings and their answers, at the pace the ladder asks for. */
class Line {
  now = 0;
  /** @type {string[]} */
  did = [];
  pings = 0;
  /** @type {{ at: number, event: object }[]} on their way back */
  #coming = [];
  #frameAt = 2000;
  #tickAt = 0;
  #ladder;
  #random;

  /** @param {{ rttMs?: number, loss?: number, seed?: number, repeatMs?: number }} network loss each way; a frame each `repeatMs` */
  constructor({ rttMs = 20, loss = 0, seed = 1, repeatMs = 2000 } = {}) {
    Object.assign(this, { rttMs, loss, repeatMs, cut: false, cutUp: false, busyUntil: 0 });
    let state = seed * 7919;
    this.#random = () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
    this.#ladder = new Ladder(() => 1);
    this.say("ready");
    this.say("connection", { epoch: 1, state: "connected" });
    this.say("picture", { epoch: 1, relay: false });
    this.did = [];
  }

  say(type, rest = {}) {
    for (const command of this.#ladder.handle(/** @type {any} */ ({ type, now: this.now, ...rest }))) {
      if (command.do === "ping") this.#ping();
      else if (command.do === "nudge") this.#frameAt = this.now + this.rttMs / 2;
      else this.did.push(`${command.do} ${Math.round(this.now)}`);
      if (command.do === "open-vnc") this.vnc = command.vnc;
    }
  }

  #ping() {
    this.pings += 1;
    if (this.cut || this.cutUp || this.#random() < this.loss || this.#random() < this.loss) return;
    this.#coming.push({ at: this.now + this.rttMs, event: { type: "heard", epoch: 1, pong: true, sent: false } });
  }

  /** Go on to `ms`, millisecond steps of ten; while busy nothing is heard or ticked, and a tick comes first after it. */
  until(ms) {
    while (this.now < ms) {
      this.now += 10;
      if (this.now >= this.#frameAt) {
        this.#frameAt = this.now + this.repeatMs;
        if (!this.cut && this.#random() >= this.loss) this.#coming.push({ at: this.now + this.rttMs / 2, event: { type: "frame", epoch: 1 } });
      }
      if (this.now < this.busyUntil) continue;
      if (this.now >= this.#tickAt) {
        this.say("tick");
        this.#tickAt = this.now + this.#ladder.tickMs;
      }
      const due = this.#coming.filter(({ at }) => at <= this.now);
      this.#coming = this.#coming.filter(({ at }) => at > this.now);
      for (const { event } of due) if (!this.cut) this.say(/** @type {any} */ (event).type, event);
    }
    return this.did;
  }
}

describe("a line that is cut", () => {
  for (const network of [{ rttMs: 5 }, { rttMs: 200 }, { rttMs: 80, loss: 0.1 }]) {
    test(`is noticed in time for a picture within 2 s: ${JSON.stringify(network)}`, () => {
      const line = new Line(network);
      assert.deepEqual(line.until(20_300).filter((one) => !/^(open|close)-vnc/.test(one)), [], "noVNC may be prepared, no more");
      line.did = [];
      line.cut = true;
      line.until(22_000);
      const at = (verb) => Number(line.did.find((one) => one.startsWith(verb))?.split(" ")[1] ?? Infinity);
      assert.ok(at("open-vnc") <= 20_300 + LIMITS.suspect.leastMs + 300, `${line.did}`);
      assert.ok(at("open-peer") <= 20_300 + LIMITS.silentMs + 300, `${line.did}`);
      for (const vnc of [1, 2]) line.say("vnc-picture", { vnc });
      assert.ok(line.did.some((one) => one.startsWith("show-vnc")));
    });
  }

  test("noVNC that was prepared is let go of when the line comes back in time", () => {
    const line = new Line();
    line.until(20_300);
    line.cut = true;
    line.until(21_100);
    line.cut = false;
    line.until(30_000);
    assert.deepEqual(line.did.map((one) => one.split(" ")[0]), ["open-vnc", "close-vnc"]);
  });
});

describe("a line that is cut one way, from the viewer, while the picture moves", () => {
  for (const network of [{ rttMs: 5 }, { rttMs: 300 }, { rttMs: 80, loss: 0.1 }]) {
    test(`is left within 5 s, and its picture stays until then: ${JSON.stringify(network)}`, () => {
      const line = new Line({ ...network, repeatMs: 40 });
      line.until(20_330);
      line.did = [];
      line.cutUp = true;
      line.until(23_100);
      const prepared = line.did.find((one) => one.startsWith("open-vnc"));
      assert.ok(prepared, `${line.did}`);
      line.say("vnc-picture", { vnc: Number(line.vnc) });
      line.until(25_330);
      const verbs = line.did.map((one) => one.split(" ")[0]);
      assert.ok(verbs.indexOf("show-vnc") >= 0 && verbs.indexOf("close-peer") > verbs.indexOf("show-vnc"), `${line.did}`);
    });
  }

  for (const network of [{ rttMs: 600 }, { rttMs: 1400, loss: 0.02 }, { rttMs: 50, loss: 0.25 }]) {
    test(`bad luck is no cut: ${JSON.stringify(network)}`, () => {
      for (let seed = 1; seed <= 4; seed++) {
        const line = new Line({ ...network, seed, repeatMs: 40 });
        line.until(600_000);
        assert.deepEqual(line.did.filter((one) => !/^(open|close)-vnc/.test(one)), [], `seed ${seed}`);
      }
    });
  }
});

describe("a line that is only bad", () => {
  for (const network of [{ rttMs: 200 }, { rttMs: 600 }, { loss: 0.1, rttMs: 20 }, { loss: 0.1, rttMs: 200 }]) {
    test(`never makes it fall in ten minutes: ${JSON.stringify(network)}`, () => {
      for (let seed = 1; seed <= 10; seed++) {
        const line = new Line({ ...network, seed });
        line.until(600_000);
        assert.deepEqual(line.did.filter((one) => !one.includes("-vnc")), [], `seed ${seed}`);
        assert.ok(!line.did.some((one) => one.startsWith("show-")), `seed ${seed}`);
      }
    });
  }

  test("noVNC is prepared for nothing but rarely, however long the round trip", () => {
    for (const network of [{ rttMs: 20 }, { rttMs: 200 }, { rttMs: 600 }, { loss: 0.1, rttMs: 20 }, { loss: 0.1, rttMs: 200 }]) {
      const line = new Line({ ...network, seed: 3 });
      line.until(600_000);
      const prepared = line.did.filter((one) => one.startsWith("open-vnc")).length;
      assert.ok(prepared <= 10, `${JSON.stringify(network)}: ${prepared}`);
    }
  });

  test("a page whose thread is busy for seconds accuses nobody", () => {
    const line = new Line({ rttMs: 50 });
    for (let at = 10_000; at < 60_000; at += 5000) {
      line.until(at);
      line.busyUntil = at + 3500;
    }
    line.until(70_000);
    assert.deepEqual(line.did, []);
  });

  test("a still picture costs two or three pings a second, and a hidden page none", () => {
    const line = new Line();
    line.until(10_000);
    const before = line.pings;
    line.until(20_000);
    assert.ok(line.pings - before >= 10 && line.pings - before <= 30, `${line.pings - before}`);
    line.say("visible", { visible: false });
    const then = line.pings;
    line.until(60_000);
    assert.equal(line.pings, then);
  });
});

describe("who is judged by its answers", () => {
  test("a picture that moves all the time is asked for an answer each second, and its end is noticed as soon", () => {
    const ladder = new Ladder(() => 1);
    const say = (type, now, rest = {}) => ladder.handle(/** @type {any} */ ({ type, now, epoch: 1, ...rest })).map((one) => one.do);
    say("ready", 0);
    say("picture", 0, { relay: false });
    let pings = 0;
    for (let now = 40; now <= 10_000; now += 40) {
      say("frame", now);
      if (!say("tick", now).includes("ping")) continue;
      pings += 1;
      say("heard", now + 5, { pong: true, sent: false });
    }
    assert.ok(pings >= 9 && pings <= 11, `${pings}`);
    const fell = [];
    for (let now = 10_050; now <= 11_600; now += 50) fell.push(...say("tick", now).filter((one) => one !== "ping"));
    assert.deepEqual(fell, ["open-vnc", "open-peer"]);
  });

  test("a guest that knows no pings: its pictures decide, and it is not asked for ever", () => {
    const line = new Line({ loss: 0 });
    const ladder = new Ladder(() => 1);
    let pings = 0;
    const say = (type, now, rest = {}) => {
      const did = ladder.handle(/** @type {any} */ ({ type, now, ...rest }));
      pings += did.filter((one) => one.do === "ping").length;
      return did.filter((one) => one.do !== "ping");
    };
    say("ready", 0);
    say("picture", 0, { epoch: 1, relay: false });
    for (let now = 200; now < 60_000; now += 200) {
      if (now % 2000 === 0) say("frame", now, { epoch: 1 });
      assert.deepEqual(say("tick", now), []);
    }
    assert.equal(pings, LIMITS.pingsWasted);
    assert.ok(line.now === 0);
  });

  test("answers and no pictures at all: noVNC is shown within 5 s, with time for its own first picture", () => {
    const ladder = new Ladder(() => 1);
    const did = [];
    const say = (type, now, rest = {}) => did.push(...ladder.handle(/** @type {any} */ ({ type, now, epoch: 1, ...rest })).map((one) => `${one.do} ${now}`));
    say("ready", 0);
    say("picture", 20_000, { relay: false });
    for (let now = 20_100; now < 25_000; now += 100) {
      say("heard", now, { pong: true, sent: false });
      say("tick", now);
      if (did.some((one) => one.startsWith("open-vnc")) && now >= 24_600) say("vnc-picture", now, { vnc: 1 });
    }
    const at = (verb) => Number(did.find((one) => one.startsWith(verb))?.split(" ")[1]) - 20_000;
    assert.ok(at("open-vnc") <= 4200 && at("show-vnc") <= 4800, `${did.filter((one) => !/ping|nudge/.test(one))}`);
  });

  test("answers without the picture that was promised: frozen, and a new peer is tried", () => {
    const ladder = new Ladder(() => 1);
    const say = (type, now, rest = {}) => ladder.handle(/** @type {any} */ ({ type, now, epoch: 1, ...rest })).map((one) => one.do).filter((one) => one !== "ping");
    say("ready", 0);
    say("picture", 0, { relay: false });
    for (let now = 100; now <= 1900; now += 100) say("heard", now, { pong: true, sent: now === 800 });
    assert.deepEqual(say("tick", 2200), []);
    assert.deepEqual(say("tick", 2400), ["open-peer"]);
  });
});

describe("beside a relay", () => {
  /** @type {Ladder} */
  let ladder;
  const say = (type, now, rest = {}) => ladder.handle(/** @type {any} */ ({ type, now, ...rest })).filter((one) => one.do !== "ping");
  const run = (from, to) => {
    for (let now = from; now < to; now += 500) {
      say("frame", now, { epoch: 1 });
      const did = say("tick", now);
      if (did.length) return { now, did: did.map((one) => one.do) };
    }
    return null;
  };
  const relayed = () => {
    ladder = new Ladder(() => 1);
    say("ready", 0);
    say("picture", 0, { epoch: 1, relay: true });
  };

  test("the direct way is looked for, less and less often", () => {
    relayed();
    const first = run(500, 100_000);
    assert.deepEqual(first, { now: LIMITS.probe.firstMs, did: ["probe"] });
    assert.equal(run(20_500, 100_000), null, "one look at a time");
    say("probed", 100_000, { direct: false });
    assert.equal(run(100_500, 200_000)?.now, 100_000 + 2 * LIMITS.probe.firstMs);
  });

  test("each look has a number of its own: the same again, with another offer, would be refused", () => {
    relayed();
    const looks = [];
    for (let now = 500; now < 300_000; now += 500) {
      say("frame", now, { epoch: 1 });
      for (const did of say("tick", now)) {
        if (did.do !== "probe") continue;
        looks.push(did.epoch);
        say("probed", now, { direct: false });
      }
    }
    assert.deepEqual(looks.slice(0, 3), [1, 2, 3]);
  });

  test("found, it is opened without relays, and shown once drawn", () => {
    relayed();
    run(500, 30_000);
    assert.deepEqual(say("probed", 20_500, { direct: true }), [{ do: "open-peer", epoch: 2, direct: true }]);
    assert.deepEqual(say("frame", 20_550, { epoch: 1 }), []);
    const shown = say("picture", 20_700, { epoch: 2, relay: false }).map((one) => one.do);
    assert.deepEqual(shown, ["show-peer", "close-peer"]);
    assert.equal(ladder.rung, "webrtc");
  });
});
