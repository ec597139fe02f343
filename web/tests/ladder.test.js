import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { Ladder } from "../static/js/ladder.js";
import { LIMITS } from "../static/js/limits.js";

/** A trace: `at(ms)` sets the clock, each event answers its commands in short form. */
class Trace {
  now = 0;
  ladder = new Ladder(() => 1);

  /** @param {string} type @param {object} [rest] */
  say(type, rest = {}) {
    const commands = this.ladder.handle(/** @type {any} */ ({ type, now: this.now, ...rest }));
    // Pings are asserted in pulse.test.js.
    return commands.filter((command) => command.do !== "ping" && command.do !== "nudge").map(short);
  }

  at(ms) {
    this.now = ms;
    return this;
  }

  /** Tick every half second up to `ms`, with frames of `epoch` if given; all commands on the way. */
  until(ms, { frames } = {}) {
    const out = [];
    while (this.now + 500 <= ms) {
      this.now += 500;
      if (frames) out.push(...this.say("frame", { epoch: frames }));
      out.push(...this.say("tick"));
    }
    this.now = ms;
    return out;
  }

  /** Ready at 0, connected and drawn at 200 ms. */
  live() {
    assert.deepEqual(this.say("ready"), ["open-peer 1"]);
    this.at(200);
    this.say("connection", { epoch: 1, state: "connected" });
    assert.deepEqual(this.say("picture", { epoch: 1, relay: false }), ["show-peer 1"]);
    return this;
  }

  /** On noVNC, because the first try was refused at 100 ms. */
  fallen() {
    this.say("ready");
    this.at(100);
    assert.deepEqual(this.say("refused", { epoch: 1 }), ["close-peer 1", "open-vnc 1"]);
    this.at(300);
    assert.deepEqual(this.say("vnc-picture", { vnc: 1 }), ["show-vnc 1"]);
    return this;
  }
}

const short = (command) => `${command.do} ${command.epoch ?? command.vnc}`;

/** @type {Trace} */
let trace;
beforeEach(() => (trace = new Trace()));

describe("the first picture", () => {
  test("nothing is opened before the session is ready", () => {
    assert.deepEqual(trace.until(20_000), []);
    assert.equal(trace.ladder.rung, null);
  });

  test("WebRTC is tried at once and shown once drawn", () => {
    trace.live();
    assert.equal(trace.ladder.rung, "webrtc");
    assert.equal(trace.ladder.epoch, 1);
    assert.equal(trace.ladder.lost, false);
  });

  test("connected alone is no picture", () => {
    trace.say("ready");
    trace.at(200).say("connection", { epoch: 1, state: "connected" });
    assert.equal(trace.ladder.rung, null);
  });

  test("a relay is said to be one, also when it is known late", () => {
    trace.say("ready");
    trace.at(200).say("picture", { epoch: 1, relay: false });
    trace.say("relay", { epoch: 1, relay: true });
    assert.equal(trace.ladder.rung, "webrtc-relay");
  });

  test("saying ready twice changes nothing", () => {
    trace.live();
    assert.deepEqual(trace.say("ready"), []);
  });
});

describe("falling to noVNC", () => {
  test("no picture: prepared early, shown at 5 s and not before, the try goes on", () => {
    trace.say("ready");
    assert.deepEqual(trace.until(LIMITS.prepareMs - 500), []);
    assert.deepEqual(trace.until(LIMITS.prepareMs), ["open-vnc 1"]);
    assert.deepEqual(trace.say("vnc-picture", { vnc: 1 }), []);
    assert.deepEqual(trace.until(LIMITS.fallMs), ["show-vnc 1"]);
    assert.equal(trace.ladder.rung, "vnc");
    assert.equal(trace.ladder.trying, "webrtc");
  });

  test("a picture that comes while noVNC is only prepared wins", () => {
    trace.say("ready");
    trace.until(4500);
    trace.say("vnc-picture", { vnc: 1 });
    assert.deepEqual(trace.say("picture", { epoch: 1, relay: false }), ["show-peer 1", "close-vnc 1"]);
  });

  test("a slow picture still wins after noVNC was shown", () => {
    trace.say("ready");
    trace.until(4500);
    trace.say("vnc-picture", { vnc: 1 });
    trace.until(7000);
    trace.say("picture", { epoch: 1, relay: false });
    assert.deepEqual(trace.until(7000 + LIMITS.proveMs - 500, { frames: 1 }), [], "it proves itself first");
    assert.deepEqual(trace.until(7000 + LIMITS.proveMs, { frames: 1 }), ["show-peer 1", "close-vnc 1"]);
  });

  test("a refused offer does not wait for the 5 s", () => {
    trace.fallen();
    assert.equal(trace.ladder.rung, "vnc");
  });

  test("one that was given up before anybody asked for it is followed by the next at once, and is no failure", () => {
    trace.at(40_000).say("ready");
    assert.deepEqual(trace.say("refused", { epoch: 1, code: "peer_lost", early: true }), ["close-peer 1", "open-peer 2"]);
    assert.equal(trace.ladder.trying, "webrtc");
    assert.deepEqual(trace.say("refused", { epoch: 2, code: "peer_lost" }), ["close-peer 2", "open-vnc 1"]);
  });

  test("a failed connection does not wait either", () => {
    trace.say("ready");
    assert.deepEqual(trace.at(900).say("connection", { epoch: 1, state: "failed" }), ["close-peer 1", "open-vnc 1"]);
  });

  test("a try without a picture ends after its time, and the next comes after a wait", () => {
    trace.say("ready");
    trace.until(4500);
    trace.say("vnc-picture", { vnc: 1 });
    assert.deepEqual(trace.until(LIMITS.tryMs), ["show-vnc 1", "close-peer 1"]);
    assert.deepEqual(trace.until(LIMITS.tryMs + LIMITS.climb.firstMs), ["open-peer 2"]);
  });

  test("noVNC that does not answer is tried again and again", () => {
    trace.say("ready");
    trace.at(100).say("refused", { epoch: 1 });
    assert.deepEqual(trace.at(200).say("vnc-closed", { vnc: 1 }), ["close-vnc 1"]);
    assert.ok(trace.until(1000).includes("open-vnc 2"));
    trace.say("vnc-closed", { vnc: 2 });
    assert.ok(trace.until(2500).includes("open-vnc 3"));
  });

  test("a noVNC without a picture is given up", () => {
    trace.say("ready");
    trace.at(100).say("refused", { epoch: 1 });
    const out = trace.until(100 + LIMITS.vncTryMs + 1500).filter((one) => one.includes("vnc"));
    assert.deepEqual(out, ["close-vnc 1", "open-vnc 2"]);
  });
});

describe("losing a live picture", () => {
  test("frames keep it", () => {
    trace.live();
    assert.deepEqual(trace.until(60_000, { frames: 1 }), []);
  });

  test("the guest's repeat each 2 s is enough", () => {
    trace.live();
    for (let ms = 2000; ms < 40_000; ms += 2000) {
      assert.deepEqual(trace.until(ms), []);
      assert.deepEqual(trace.say("frame", { epoch: 1 }), []);
    }
  });

  test("3 s: a new peer beside the old; 4 s: noVNC prepared; 5 s: shown, the old one closed", () => {
    trace.live();
    trace.until(12_000, { frames: 1 });
    assert.deepEqual(trace.until(14_500), []);
    assert.deepEqual(trace.until(15_000), ["open-peer 2"]);
    assert.equal(trace.ladder.lost, true);
    assert.deepEqual(trace.until(16_000), ["open-vnc 1"]);
    assert.deepEqual(trace.say("vnc-picture", { vnc: 1 }), []);
    assert.deepEqual(trace.until(17_000), ["show-vnc 1", "close-peer 1"]);
    assert.equal(trace.ladder.rung, "vnc");
    assert.equal(trace.ladder.trying, "webrtc");
  });

  test("make before break: the old peer is closed only after the new one is shown", () => {
    trace.live();
    trace.until(12_000, { frames: 1 });
    trace.until(15_000);
    assert.deepEqual(trace.at(15_200).say("picture", { epoch: 2, relay: false }), ["show-peer 2", "close-peer 1"]);
    assert.equal(trace.ladder.rung, "webrtc");
  });

  test("frames that come back stop noVNC; the new peer, for which the guest gave up the old, goes on", () => {
    trace.live();
    trace.until(12_000, { frames: 1 });
    trace.until(16_500);
    assert.deepEqual(trace.say("frame", { epoch: 1 }), ["close-vnc 1"]);
    assert.equal(trace.ladder.lost, false);
    assert.deepEqual(trace.until(20_000, { frames: 1 }), []);
    assert.deepEqual(trace.say("picture", { epoch: 2, relay: false }), ["show-peer 2", "close-peer 1"]);
  });

  test("a peer that ends after a good time is replaced at once", () => {
    trace.live();
    trace.until(30_000, { frames: 1 });
    assert.deepEqual(trace.say("connection", { epoch: 1, state: "closed" }), ["open-peer 2"]);
    assert.deepEqual(trace.at(30_200).say("picture", { epoch: 2, relay: false }), ["show-peer 2", "close-peer 1"]);
  });

  test("a peer that breaks right after it was shown does not make a quick loop", () => {
    trace.live();
    assert.deepEqual(trace.at(400).say("connection", { epoch: 1, state: "failed" }), ["open-vnc 1"]);
    assert.deepEqual(trace.at(600).say("vnc-picture", { vnc: 1 }), ["show-vnc 1", "close-peer 1"]);
    assert.deepEqual(trace.until(2300), []);
    assert.deepEqual(trace.until(2800), ["open-peer 2"]);
    trace.say("picture", { epoch: 2, relay: false });
    trace.say("connection", { epoch: 2, state: "failed" });
    assert.deepEqual(trace.until(6000).filter((one) => one.startsWith("open-peer")), []);
    assert.deepEqual(trace.until(7500).filter((one) => one.startsWith("open-peer")), ["open-peer 3"]);
  });

  test("a stream server that died is met by a new peer at once, however young the old one was", () => {
    trace.live();
    const died = { epoch: 1, code: "stream_server_died" };
    assert.deepEqual(trace.at(400).say("refused", died), ["open-peer 2"]);
    assert.equal(trace.ladder.lost, true);
    assert.deepEqual(trace.say("refused", died), [], "said twice, meant once");
    assert.deepEqual(trace.at(900).say("picture", { epoch: 2, relay: false }), ["show-peer 2", "close-peer 1"]);
  });

  test("a stream server that dies before there is a picture is a failed try", () => {
    trace.say("ready");
    const died = { epoch: 1, code: "stream_server_died" };
    assert.deepEqual(trace.at(400).say("refused", died), ["close-peer 1", "open-vnc 1"]);
  });

  test("disconnected alone is no loss: frames decide", () => {
    trace.live();
    assert.deepEqual(trace.say("connection", { epoch: 1, state: "disconnected" }), []);
    assert.deepEqual(trace.until(2000, { frames: 1 }), []);
  });
});

describe("climbing back", () => {
  test("the waits double up to their limit while noVNC stays", () => {
    trace.fallen();
    const waits = [];
    for (let epoch = 2; epoch < 10; epoch++) {
      const began = trace.now;
      while (!trace.say("tick").includes(`open-peer ${epoch}`)) trace.now += 500;
      waits.push(Math.round((trace.now - began) / 1000));
      assert.deepEqual(trace.say("refused", { epoch }), [`close-peer ${epoch}`]);
    }
    assert.equal(trace.ladder.rung, "vnc");
    assert.deepEqual(waits.slice(0, 5), [2, 4, 8, 16, 32]);
    assert.ok(waits.every((wait) => wait <= 60));
  });

  test("noVNC goes only after WebRTC was drawn", () => {
    trace.fallen();
    assert.deepEqual(trace.until(2300), ["open-peer 2"]);
    assert.equal(trace.ladder.rung, "vnc");
    assert.deepEqual(trace.say("picture", { epoch: 2, relay: true }), []);
    assert.deepEqual(trace.until(2300 + LIMITS.proveMs, { frames: 2 }), ["show-peer 2", "close-vnc 1"]);
    assert.equal(trace.ladder.rung, "webrtc-relay");
  });

  test("a change of network tries at once", () => {
    trace.fallen();
    trace.until(2300);
    trace.say("refused", { epoch: 2 });
    assert.deepEqual(trace.say("network"), ["open-peer 3"]);
  });

  test("a noVNC that breaks keeps its last picture until the next has drawn", () => {
    trace.fallen();
    assert.deepEqual(trace.at(400).say("vnc-closed", { vnc: 1 }), ["open-vnc 2"]);
    assert.equal(trace.ladder.rung, "vnc");
    assert.equal(trace.ladder.lost, true);
    assert.deepEqual(trace.say("vnc-picture", { vnc: 2 }), ["show-vnc 2", "close-vnc 1"]);
    assert.equal(trace.ladder.lost, false);
  });
});

describe("the user's choice", () => {
  test("noVNC: the live picture stays until it has drawn, then the peer goes", () => {
    trace.live();
    assert.deepEqual(trace.say("choose", { rung: "vnc" }), ["open-vnc 1"]);
    assert.equal(trace.ladder.rung, "webrtc");
    assert.deepEqual(trace.until(600, { frames: 1 }), []);
    assert.deepEqual(trace.say("vnc-picture", { vnc: 1 }), ["show-vnc 1", "close-peer 1"]);
  });

  test("it is pinned: no climbing", () => {
    trace.live();
    trace.say("choose", { rung: "vnc" });
    trace.say("vnc-picture", { vnc: 1 });
    assert.deepEqual(trace.until(300_000), []);
    assert.deepEqual(trace.say("network"), []);
    assert.equal(trace.ladder.pinned, true);
  });

  test("and back: WebRTC at once, noVNC until it has drawn", () => {
    trace.live();
    trace.say("choose", { rung: "vnc" });
    trace.say("vnc-picture", { vnc: 1 });
    assert.deepEqual(trace.say("choose", { rung: "webrtc" }), ["open-peer 2"]);
    assert.equal(trace.ladder.rung, "vnc");
    assert.deepEqual(trace.say("picture", { epoch: 2, relay: false }), ["show-peer 2", "close-vnc 1"]);
  });

  test("a change of mind before noVNC has drawn costs nothing", () => {
    trace.live();
    trace.say("choose", { rung: "vnc" });
    assert.deepEqual(trace.say("choose", { rung: "webrtc" }), ["close-vnc 1"]);
    assert.equal(trace.ladder.rung, "webrtc");
  });

  test("noVNC before there is any picture drops the try", () => {
    trace.say("ready");
    assert.deepEqual(trace.say("choose", { rung: "vnc" }), ["close-peer 1", "open-vnc 1"]);
    assert.deepEqual(trace.say("vnc-picture", { vnc: 1 }), ["show-vnc 1"]);
  });

  test("a choice before the session is ready is remembered", () => {
    assert.deepEqual(trace.say("choose", { rung: "vnc" }), []);
    assert.deepEqual(trace.say("ready"), ["open-vnc 1"]);
  });
});

describe("late and foreign messages", () => {
  test("an old epoch's events are nobody's", () => {
    trace.live();
    trace.until(30_000, { frames: 1 });
    trace.say("connection", { epoch: 1, state: "closed" });
    trace.say("picture", { epoch: 2, relay: false });
    for (const type of ["refused", "frame", "picture"]) assert.deepEqual(trace.say(type, { epoch: 1 }), []);
    assert.deepEqual(trace.say("connection", { epoch: 1, state: "failed" }), []);
    assert.deepEqual(trace.say("vnc-closed", { vnc: 9 }), []);
    assert.equal(trace.ladder.rung, "webrtc");
  });
});

describe("the controller is away", () => {
  test("a live picture is left alone", () => {
    trace.live();
    trace.say("signal", { up: false });
    assert.deepEqual(trace.until(120_000, { frames: 1 }), []);
    assert.deepEqual(trace.say("signal", { up: true }), []);
    assert.equal(trace.ladder.epoch, 1);
  });

  test("nothing new is tried without it, and everything at once when it is back", () => {
    trace.fallen();
    trace.say("signal", { up: false });
    trace.say("vnc-closed", { vnc: 1 });
    assert.deepEqual(trace.until(60_000), []);
    assert.equal(trace.ladder.rung, "vnc", "the last picture stays");
    assert.deepEqual(trace.say("signal", { up: true }), ["open-peer 2", "open-vnc 2"]);
  });
});

describe("sleep, hiding and leaving", () => {
  test("a hidden page judges and opens nothing", () => {
    trace.live();
    trace.say("visible", { visible: false });
    assert.deepEqual(trace.until(600_000), []);
    assert.deepEqual(trace.say("visible", { visible: true }), []);
    assert.equal(trace.ladder.lost, false);
  });

  test("shown again, a dead picture is noticed within seconds", () => {
    trace.live();
    trace.say("visible", { visible: false });
    trace.until(600_000);
    trace.say("visible", { visible: true });
    assert.deepEqual(trace.until(604_000), ["open-peer 2", "open-vnc 1"]);
  });

  test("a page opened in the background begins when it is seen", () => {
    trace.say("visible", { visible: false });
    assert.deepEqual(trace.say("ready"), []);
    trace.until(30_000);
    assert.deepEqual(trace.say("visible", { visible: true }), ["open-peer 1"]);
  });

  test("sleep is not held against the picture", () => {
    trace.live();
    trace.until(20_000, { frames: 1 });
    assert.deepEqual(trace.at(3_600_000).say("tick"), []);
    assert.deepEqual(trace.until(3_600_000 + LIMITS.staleMs), ["open-peer 2"]);
  });

  test("leaving closes everything, coming back begins anew with a higher epoch", () => {
    trace.live();
    assert.deepEqual(trace.say("leave"), ["close-peer 1"]);
    assert.deepEqual(trace.until(5000), []);
    assert.deepEqual(trace.say("return"), ["open-peer 2"]);
  });

  test("the end closes everything for good", () => {
    trace.fallen();
    trace.until(2300);
    assert.deepEqual(trace.say("over"), ["close-peer 2", "close-vnc 1"]);
    for (const type of ["return", "ready", "network", "tick"]) assert.deepEqual(trace.say(type), []);
    assert.equal(trace.ladder.rung, null);
  });
});

describe("whatever happens", () => {
  test("10,000 random events keep the promises", () => {
    let seed = 7;
    const random = () => ((seed = (seed * 1103515245 + 12345) % 2 ** 31), seed / 2 ** 31);
    const pick = (list) => list[Math.floor(random() * list.length)];
    const opened = { peer: new Set(), vnc: new Set() };
    let shown = "";
    trace.ladder = new Ladder(random);
    trace.say("ready");
    opened.peer.add(1);
    for (let i = 0; i < 10_000; i++) {
      trace.now += Math.floor(random() * 900);
      const epoch = trace.ladder.epoch - Math.floor(random() * 2);
      const vnc = Math.max(0, ...opened.vnc);
      const out = pick([
        () => trace.say("tick"),
        () => trace.say("tick"),
        () => trace.say("frame", { epoch }),
        () => trace.say("heard", { epoch, pong: true, sent: random() < 0.2 }),
        () => trace.say("probed", { direct: random() < 0.3 }),
        () => trace.say("picture", { epoch, relay: random() < 0.5 }),
        () => trace.say("refused", { epoch }),
        () => trace.say("connection", { epoch, state: pick(["connected", "failed", "closed", "disconnected"]) }),
        () => trace.say("vnc-picture", { vnc }),
        () => trace.say("vnc-closed", { vnc }),
        () => trace.say("choose", { rung: pick(["vnc", "webrtc"]) }),
        () => trace.say("signal", { up: random() < 0.7 }),
        () => trace.say("visible", { visible: random() < 0.7 }),
      ])();
      for (const command of out) {
        if (command.startsWith("probe")) continue;
        const [verb, kind, number] = /** @type {any} */ (/^(\w+)-(\w+) (\d+)$/.exec(command)).slice(1);
        const set = opened[kind];
        if (verb === "open") assert.ok(!set.has(+number) && set.add(+number), command);
        else assert.ok(set.has(+number), `${command} is not open`);
        if (verb === "show") shown = `${kind} ${number}`;
        if (verb === "close") {
          set.delete(+number);
          assert.notEqual(`${kind} ${number}`, shown, "the picture on the screen is never closed");
        }
      }
      assert.ok(opened.peer.size <= 2 && opened.vnc.size <= 2, "no more than two of a kind");
    }
  });
});
