import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { LIMITS } from "../static/js/limits.js";
import { Trace } from "./trace.js";

/** @type {Trace} */
let trace;
beforeEach(() => (trace = new Trace()));

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

  test("a young peer that is cut off is met by a new one at once; the next that breaks soon makes no quick loop", () => {
    trace.live();
    assert.deepEqual(trace.at(400).say("connection", { epoch: 1, state: "failed" }), ["open-peer 2", "open-vnc 1"]);
    assert.deepEqual(trace.at(600).say("picture", { epoch: 2, relay: false }), ["show-peer 2", "close-peer 1", "close-vnc 1"]);
    assert.deepEqual(trace.at(800).say("connection", { epoch: 2, state: "failed" }), ["open-vnc 2"]);
    assert.deepEqual(trace.at(1000).say("vnc-picture", { vnc: 2 }), ["show-vnc 2", "close-peer 2"]);
    assert.deepEqual(trace.until(4700), []);
    assert.deepEqual(trace.until(5200), ["open-peer 3"]);
    trace.say("picture", { epoch: 3, relay: false });
    trace.say("connection", { epoch: 3, state: "failed" });
    assert.deepEqual(trace.until(13_000).filter((one) => one.startsWith("open-peer")), []);
    assert.deepEqual(trace.until(13_500).filter((one) => one.startsWith("open-peer")), ["open-peer 4"]);
  });

  test("after a good time the next that breaks soon is met at once again", () => {
    trace.live();
    trace.at(400).say("connection", { epoch: 1, state: "failed" });
    trace.at(600).say("picture", { epoch: 2, relay: false });
    trace.until(20_000, { frames: 2 });
    assert.deepEqual(trace.say("connection", { epoch: 2, state: "failed" }), ["open-peer 3"]);
    trace.say("picture", { epoch: 3, relay: false });
    assert.ok(trace.at(22_000).say("connection", { epoch: 3, state: "failed" }).includes("open-peer 4"));
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
