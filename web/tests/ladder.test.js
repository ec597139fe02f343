import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { Ladder } from "../static/js/ladder.js";
import { LIMITS } from "../static/js/limits.js";
import { Trace } from "./trace.js";

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

describe("a server that has had too many offers", () => {
  test("is offered nothing before the time it said, whatever looks good meanwhile", () => {
    trace.fallen();
    trace.until(20_000);
    const epoch = trace.ladder.epoch;
    trace.say("refused", { epoch, code: "too_many", waitMs: 90_000 });
    for (const sign of ["network", "signal"]) trace.say(sign, { up: true });
    trace.say("choose", { rung: "webrtc" });
    assert.deepEqual(trace.until(109_000).filter((one) => one.startsWith("open-peer")), []);
    assert.deepEqual(trace.until(111_000).filter((one) => one.startsWith("open-peer")), [`open-peer ${epoch + 1}`]);
  });
});

describe("falling to noVNC", () => {
  test("no picture: prepared early, shown before 5 s and not sooner, the try goes on", () => {
    trace.say("ready");
    assert.deepEqual(trace.until(LIMITS.prepareMs - 10), []);
    assert.deepEqual(trace.at(LIMITS.prepareMs).say("tick"), ["open-vnc 1"]);
    assert.deepEqual(trace.say("vnc-picture", { vnc: 1 }), []);
    assert.deepEqual(trace.at(LIMITS.fallMs - 10).say("tick"), []);
    assert.deepEqual(trace.at(LIMITS.fallMs).say("tick"), ["show-vnc 1"]);
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
