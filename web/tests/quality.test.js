import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { about, lifeOf, spotsOf, wordsOf as ribbonWords } from "../static/js/charts.js";
import { LINES, facts } from "../static/js/figures.js";
import { Freezes } from "../static/js/freezes.js";
import { turnsOf, wordsOf } from "../static/js/quality.js";
import { dotsOf, areaOf, pathOf, roundTop, stretches } from "../static/js/sparkline.js";
import { NO_STATS, between, readReport, readTarget } from "../static/js/statistics.js";
import { Seconds, median } from "../static/js/summary.js";
import { verdict } from "../static/js/verdict.js";

const NOTHING = { bytes: 0, lost: 0, asked: 0, dropped: 0 };
const stats = (more = {}) => ({ ...NO_STATS, fps: 30, kbps: 900, loss: 0, rtt_ms: 12, jitter_ms: 2, ...more });
const seconds = (count, more = {}, rung = "webrtc") => Array.from({ length: count }, () => ({ rung, stats: stats(more) }));

describe("freezes", () => {
  /** Frames at these times, a look each second; media arrives with each frame. */
  const watch = (times, until, arrived = () => ({})) => {
    const freezes = new Freezes(times[0] ?? 0);
    const looks = [];
    let drawn = 0;
    for (let now = 0; now <= until; now += 10) {
      if (times.includes(now)) {
        freezes.drawn(now);
        drawn += 1;
      }
      if (now % 1000 === 0) looks.push(freezes.look(now, { ...NOTHING, bytes: drawn * 1000, ...arrived(now) }));
    }
    return looks.at(-1);
  };
  const motion = (from, to) => Array.from({ length: (to - from) / 40 }, (_, n) => from + n * 40);

  test("motion, and a still picture that is repeated, are none", () => {
    assert.deepEqual(watch(motion(0, 5000), 5000), { count: 0, ms: 0 });
    assert.deepEqual(watch([0, 40, 2040, 4040, 6040, 8040], 9000), { count: 0, ms: 0 });
  });

  test("somebody who types now and then has a still picture between", () => {
    assert.deepEqual(watch([0, 40, 1240, 1280, 2900, 2940, 4500], 5000), { count: 0, ms: 0 });
  });

  test("media that arrives and is not drawn is one, from the look that saw it", () => {
    const arrived = (now) => (now >= 1500 ? { bytes: 90_000 + now } : {});
    assert.deepEqual(watch([...motion(0, 1000), ...motion(4000, 5000)], 5000, arrived), { count: 1, ms: 2000 });
  });

  test("one that lasts is seen before it ends, and is counted once", () => {
    const freezes = new Freezes(0);
    freezes.drawn(0);
    assert.deepEqual(freezes.look(1000, NOTHING), { count: 0, ms: 0 });
    assert.deepEqual(freezes.look(6000, NOTHING), { count: 1, ms: 4000 });
    assert.deepEqual(freezes.look(7000, NOTHING), { count: 1, ms: 5000 });
    freezes.drawn(7500);
    assert.deepEqual(freezes.look(8000, NOTHING), { count: 1, ms: 5500 });
  });

  test("packets lost in the midst of motion make the pause one", () => {
    const lost = (now) => ({ lost: now >= 2000 ? 4 : 0 });
    const times = [...motion(0, 1200), ...motion(1960, 3000)];
    assert.equal(watch(times, 3000, lost)?.count, 1);
    assert.equal(watch(times, 3000)?.count, 0, "without loss it was a still picture");
  });

  test("a mark says that a frame is due", () => {
    const freezes = new Freezes(0);
    freezes.drawn(0);
    freezes.marked(1000);
    freezes.drawn(1900);
    assert.deepEqual(freezes.look(2000, NOTHING), { count: 1, ms: 900 });
    freezes.marked(2000);
    freezes.drawn(2300);
    assert.equal(freezes.look(3000, NOTHING).count, 1);
  });

  test("a still picture of which the guest says that there is none newer is none, whatever the browser asked for", () => {
    const freezes = new Freezes(0);
    freezes.drawn(0);
    freezes.drawn(40);
    for (let now = 400; now <= 60_000; now += 400) {
      freezes.rests(now);
      assert.deepEqual(freezes.look(now, { ...NOTHING, asked: now > 3000 ? 1 : 0 }), { count: 0, ms: 0 });
    }
    assert.deepEqual(freezes.look(65_000, { ...NOTHING, asked: 1 }), { count: 1, ms: 3000 }, "and then it says so no more");
    freezes.rests(65_400);
    assert.deepEqual(freezes.look(66_000, { ...NOTHING, asked: 1 }), { count: 1, ms: 3400 }, "what was counted stays counted");
  });

  test("what nobody saw does not count", () => {
    const freezes = new Freezes(0);
    freezes.drawn(0);
    freezes.restart(60_000);
    freezes.drawn(60_500);
    assert.deepEqual(freezes.look(61_000, NOTHING), { count: 0, ms: 0 });
  });
});

describe("what the report and the guest say", () => {
  const report = [
    { type: "transport", id: "T", selectedCandidatePairId: "P" },
    { type: "candidate-pair", id: "P", localCandidateId: "L", remoteCandidateId: "R", currentRoundTripTime: 0.02 },
    { type: "local-candidate", id: "L", candidateType: "prflx", protocol: "udp", relayProtocol: "tls" },
    { type: "remote-candidate", id: "R", candidateType: "host" },
    { type: "inbound-rtp", kind: "video", framesDecoded: 40, totalDecodeTime: 0.2, decoderImplementation: "FF\u0007mpeg" },
  ];

  test("the selected pair, by a TURN server", () => {
    const { local, remote, transport, decoder, decoded, decodeMs } = readReport(report);
    assert.deepEqual([local, remote, transport, decoder, decoded, decodeMs], ["relay", "host", "tls", "FFmpeg", 40, 200]);
  });

  test("words that nobody knows are none", () => {
    const odd = report.map((one) => ({ ...one, candidateType: "pigeon", protocol: "smoke", relayProtocol: undefined }));
    const { local, remote, transport } = readReport(odd);
    assert.deepEqual([local, remote, transport], [null, null, null]);
  });

  test("what was decoded and not drawn", () => {
    const look = (at, frames, decoded, decodeMs) => ({
      at, frames, bytes: 0, width: 1, height: 1, rttMs: null, jitterMs: null, lost: null, received: null, decoded, decodeMs,
    });
    const { undrawn, decode_ms } = between(look(0, 0, 0, 0), look(1000, 15, 30, 240));
    assert.deepEqual([undrawn, decode_ms], [0.5, 8]);
    assert.equal(between(look(0, 0, 0, 0), look(1000, 1, 3, 3)).undrawn, null, "too few to tell");
  });

  test("a target, and what is none", () => {
    assert.deepEqual(readTarget(["rate", 800, 30, 75, "loss"]), { target_kbps: 800, target_fps: 30, scale: 75, cause: "loss" });
    for (const bad of [["rate"], ["rate", "800", 30, 75, "loss"], ["rate", -1, 30, 75, "loss"], ["rate", 1, 30, 101, "loss"],
      ["rate", NaN, 30, 75, "loss"], ["rate", 800, 30, 75, "<b>"], ["mark", 1, 2, 3, "loss"]]) {
      assert.equal(readTarget(bad), null);
    }
  });
});

describe("seconds become a summary", () => {
  test("medians, least and most, and each latency", () => {
    const ten = new Seconds();
    for (const [n, fps] of [10, 30, 20].entries()) ten.add(n * 1000, "webrtc", stats({ fps, frames: n }));
    ten.latency(40);
    ten.latency(20);
    const summary = ten.take();
    assert.deepEqual([summary.seconds, summary.rung], [3, "webrtc"]);
    assert.deepEqual([summary.fps, summary.fps_least, summary.fps_most], [20, 10, 30]);
    assert.deepEqual(summary.latencies_ms, [40, 20]);
    assert.ok(!("freezes" in summary) && !("target_kbps" in summary), "what is not known is left out");
    assert.equal(ten.take(), null);
  });

  test("freezes since the one before, anew for another connection", () => {
    const ten = new Seconds();
    ten.add(0, "webrtc", stats({ frames: 10, freezes: 2, frozen_ms: 1500 }));
    assert.equal(ten.take().freezes, 2);
    ten.add(1000, "webrtc", stats({ frames: 20, freezes: 3, frozen_ms: 2500 }));
    assert.deepEqual([ten.take().freezes, ten.take()], [1, null]);
    ten.add(2000, "webrtc", stats({ frames: 5, freezes: 3, frozen_ms: 4000 }));
    assert.equal(ten.take().freezes, 3, "frames that fall are another connection's");
  });

  test("another rung ends it", () => {
    const ten = new Seconds();
    assert.equal(ten.add(0, "webrtc", stats()), null);
    const before = ten.add(1000, "vnc", stats({ loss: null, rtt_ms: null }));
    assert.equal(before.rung, "webrtc");
    assert.deepEqual(Object.keys(ten.take()).filter((name) => /rtt|loss/.test(name)), []);
  });

  test("nobody asks for long: only the last minute is kept", () => {
    const ten = new Seconds();
    for (let n = 0; n < 500; n += 1) {
      ten.add(n * 1000, "webrtc", stats({ frames: n }));
      ten.latency(n);
    }
    const summary = ten.take();
    assert.equal(summary.seconds, 60);
    assert.equal(summary.latencies_ms.length, 64);
  });

  test("a median of none", () => assert.equal(median([]), null));
});

describe("verdict", () => {
  const words = (history, how) => verdict(history, how).words;

  test("in plain words, the worst first", () => {
    assert.equal(words(seconds(5)), "Good");
    assert.equal(words(seconds(5, {}, "webrtc-relay")), "Good, by a relay");
    assert.equal(words([]), "No picture yet");
    assert.equal(words(seconds(5, { loss: 0.045, rtt_ms: 400 })), "The network loses packets: 4.5 %");
    assert.equal(words(seconds(5, { target_kbps: 640, cause: "delay" })), "The network is slow: 640 kbit/s");
    assert.equal(words(seconds(5, { target_kbps: 640, cause: "start" })), "Good");
    assert.equal(words(seconds(5, { rtt_ms: 240 })), "The way is long: 240 ms there and back");
    assert.equal(words(seconds(5, { undrawn: 0.5, decode_ms: 4 })), "This computer draws slowly");
    assert.equal(words(seconds(5), { lost: true }), "The picture has stopped: connecting anew");
    const frozen = [...seconds(3, { freezes: 0, frozen_ms: 0 }), ...seconds(1, { freezes: 1, frozen_ms: 1200 })];
    assert.equal(words(frozen), "The picture stood still for 1.2 s");
  });

  test("noVNC by choice or because nothing else passes", () => {
    assert.equal(verdict(seconds(5, { loss: null }, "vnc"), { pinned: true }).level, "good");
    assert.match(words(seconds(5, { loss: null }, "vnc")), /does not get through/);
    assert.match(words(seconds(5, { loss: null }, "vnc"), { decodes: false }), /this browser has no H\.264/);
  });

  test("what was on another rung is past", () => {
    assert.equal(words([...seconds(4, { loss: 0.5 }), ...seconds(1, {}, "webrtc-relay")]), "Good, by a relay");
  });
});

describe("sparklines and charts", () => {
  const frame = { left: 0, right: 10, top: 10, width: 100, height: 20 };

  test("a line, with gaps and lone spots", () => {
    assert.equal(pathOf([{ x: 0, y: 0 }, { x: 10, y: 10 }], frame), "M0 20L100 0");
    assert.equal(pathOf([{ x: 0, y: 5 }, { x: 5, y: null }, { x: 10, y: 99 }], frame), "M0 10h.01M100 0h.01");
    assert.equal(pathOf([], frame), "");
    assert.equal(areaOf([{ x: 0, y: 5 }, { x: 10, y: 5 }, { x: 10, y: null }, { x: 10, y: 1 }], frame), "M0 20L0 10L100 10L100 20Z");
  });

  test("tops are round numbers", () => {
    assert.deepEqual([[0.3], [12], [51], [100], [null], []].map((values) => roundTop(values, 1)), [1, 20, 100, 100, 1, 1]);
    assert.equal(roundTop([0.012], 0.05), 0.05);
  });

  test("rungs one after the other", () => {
    const turns = [{ at: 0, rung: "webrtc" }, { at: 5, rung: "webrtc" }, { at: 9, rung: null }, { at: 12, rung: "vnc" }];
    assert.deepEqual(stretches(turns, 20), [{ from: 0, to: 9, rung: "webrtc" }, { from: 12, to: 20, rung: "vnc" }]);
  });

  test("marks where the rung changed, in words too", () => {
    const history = [...seconds(3), ...seconds(2, {}, "vnc")];
    assert.deepEqual(turnsOf(history), [3]);
    assert.equal(wordsOf(history, [3]), "Marks in the lines: noVNC 2 s ago.");
    assert.equal(wordsOf(history, []), "");
  });

  test("a chart has a gap where nobody watched", () => {
    const rows = [10, 20, 90].map((at) => ({ at: at * 1000, seconds: 10, rung: "webrtc", figures: {}, words: {} }));
    assert.deepEqual(lifeOf(rows), { from: 0, to: 90_000 });
    assert.deepEqual(spotsOf(rows, [1, 2, 3]).map(({ y }) => y), [1, 2, null, 3]);
    assert.equal(ribbonWords([...rows, { ...rows[0], rung: "vnc" }]), "WebRTC 75 %, noVNC 25 %");
  });

  test("each figure has its unit", () => {
    const written = LINES.map((line) => line.write(line.of(stats({ latency_ms: 31.4, loss: 0.012 }))));
    assert.deepEqual(written, ["31 ms", "30 fps", "900 kbit/s", "1.2 %", "2 ms", "12 ms"]);
    const said = new Map(facts("webrtc-relay", stats({ local: "relay", remote: "host", transport: "tls", freezes: 0, frozen_ms: 0 })));
    assert.equal(said.get("Connection"), "WebRTC by relay, by a TURN server, TLS");
    assert.equal(said.get("Freezes"), "none");
    assert.equal(new Map(facts("vnc", stats())).get("Connection"), "noVNC, over a WebSocket");
  });
});

test("a lone value of a chart is a dot, and those of a line are none", () => {
  const frame = { left: 0, right: 10, top: 10, width: 100, height: 10 };
  const spots = [5, null, 5, 5, null, 10].map((y, x) => ({ x, y }));
  assert.equal(dotsOf(spots, frame), "M0 5h.01M50 0h.01");
  assert.equal(dotsOf([], frame), "");
});

test("how long somebody watched is said in seconds below a minute", () => {
  const watched = (/** @type {number[]} */ ...spans) => about(spans.map((seconds) => ({ at: 0, seconds, rung: "webrtc", figures: {}, words: {} })));
  assert.match(watched(10), /^Watched for 10 s;/);
  assert.match(watched(10, 10, 39.4), /^Watched for 59 s;/);
  assert.match(watched(30, 29.6), /^Watched for 1 min;/);
  assert.match(watched(60, 40), /^Watched for 2 min;/);
});
