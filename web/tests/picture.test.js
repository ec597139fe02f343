import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Cursors, pngSize } from "../static/js/cursor.js";
import { anyLit, firstLit } from "../static/js/pixels.js";
import { Road } from "../static/js/road.js";
import { roomOfSession } from "../static/js/room.js";
import { densityOf, fit, toDesktop, wantedSize } from "../static/js/scale.js";
import { NO_STATS, Recent, between, readReport } from "../static/js/statistics.js";

const HD = { width: 1280, height: 720 };

describe("scale", () => {
  test("the same shape fills the box", () => {
    assert.deepEqual(fit({ width: 640, height: 360 }, HD), { left: 0, top: 0, width: 640, height: 360, scale: 0.5 });
  });

  test("another shape is centred", () => {
    const { left, top, scale } = fit({ width: 1280, height: 1000 }, HD);
    assert.deepEqual([left, top, scale], [0, 140, 1]);
  });

  test("points go to pixels, the edges stay inside", () => {
    const box = { width: 640, height: 360 };
    assert.deepEqual(toDesktop({ x: 0, y: 0 }, box, HD), { x: 0, y: 0 });
    assert.deepEqual(toDesktop({ x: 320, y: 180 }, box, HD), { x: 640, y: 360 });
    assert.deepEqual(toDesktop({ x: 640, y: 360 }, box, HD), { x: 1279, y: 719 });
    assert.deepEqual(toDesktop({ x: -50, y: 9999 }, box, HD), { x: 0, y: 719 });
  });

  test("without sizes there is no point", () => {
    assert.equal(toDesktop({ x: 1, y: 1 }, { width: 0, height: 0 }, HD), null);
    assert.equal(toDesktop({ x: 1, y: 1 }, HD, { width: 0, height: 0 }), null);
  });

  test("wanted sizes are even and in range", () => {
    assert.deepEqual(wantedSize({ width: 1281.7, height: 721 }), { width: 1280, height: 720 });
    assert.deepEqual(wantedSize({ width: 20, height: 20 }), { width: 640, height: 640 });
    assert.deepEqual(wantedSize({ width: 390, height: 523 }), { width: 640, height: 858 }, "a phone's shape is kept");
    assert.deepEqual(wantedSize({ width: 5, height: 5000 }), { width: 640, height: 7680 });
    assert.deepEqual(wantedSize({ width: 99_999, height: 99_999 }), { width: 3072, height: 3072 });
    const { width, height } = wantedSize({ width: 7680, height: 4320 }) ?? HD;
    assert.ok(width * height <= 4096 * 2304 && width >= 4094 && height >= 2302, "the shape is kept within the area");
    assert.equal(wantedSize({ width: 0, height: 500 }), null);
    assert.equal(wantedSize({ width: NaN, height: 500 }), null);
  });

  test("the room of a session page", () => {
    assert.deepEqual(roomOfSession({ innerWidth: 1400, innerHeight: 900 }), { width: 1064, height: 844 });
    assert.deepEqual(roomOfSession({ innerWidth: 800, innerHeight: 900 }), { width: 800, height: 844 });
    assert.deepEqual(roomOfSession({ innerWidth: 9000, innerHeight: 9000 }), { width: 3840, height: 2160 });
  });
});

describe("cursor", () => {
  /** The head of a PNG of this size; that is all the page looks at. */
  function png(width, height) {
    const bytes = Buffer.alloc(48);
    Buffer.from("89504e470d0a1a0a0000000d49484452", "hex").copy(bytes);
    bytes.writeUInt32BE(width, 16);
    bytes.writeUInt32BE(height, 20);
    return bytes.toString("base64");
  }

  test("sizes are read", () => assert.deepEqual(pngSize(png(24, 32)), { width: 24, height: 32 }));

  for (const [name, bad] of [
    ["too large", png(129, 16)],
    ["empty", png(0, 16)],
    ["no PNG", Buffer.alloc(48, 65).toString("base64")],
    ["no base64", `${png(16, 16)}") url(https://example.org/`],
    ["short", "iVBORw0K"],
    ["endless", png(16, 16) + "A".repeat(20_000)],
  ]) {
    test(`${name} is refused`, () => assert.equal(pngSize(/** @type {string} */ (bad)), null));
  }

  test("a shape is shown, and known again by its serial", () => {
    const cursors = new Cursors();
    const shape = cursors.css(["cursor", 7, 3, 99, png(24, 32)]);
    assert.match(shape, /^url\("data:image\/png;base64,[^"]+"\) 3 31, default$/);
    assert.equal(cursors.css(["cursor", 7, 3, 4, ""]), shape);
    assert.equal(cursors.css(["cursor", 8, 3, 4, ""]), "default");
    assert.equal(cursors.css(["cursor", 0, 0, 0, ""]), "none");
  });

  test("nonsense gives the ordinary pointer", () => {
    const cursors = new Cursors();
    for (const message of [["cursor"], ["cursor", "x", 0, 0, "y"], ["cursor", 1, {}, [], 5], ["cursor", 1, 0, 0, "!"]]) {
      assert.equal(cursors.css(message), "default");
    }
  });

  test("a flood of shapes is forgotten, oldest first", () => {
    const cursors = new Cursors();
    for (let serial = 1; serial <= 200; serial++) cursors.css(["cursor", serial, 0, 0, png(16, 16)]);
    assert.equal(cursors.css(["cursor", 1, 0, 0, ""]), "default");
    assert.notEqual(cursors.css(["cursor", 200, 0, 0, ""]), "default");
  });
});

describe("black", () => {
  const picture = (...pixels) => new Uint8ClampedArray(pixels.flat());
  test("black, nearly black and nothing at all are no picture", () => {
    assert.equal(anyLit(picture([0, 0, 0, 255], [9, 8, 12, 255])), false);
    assert.equal(anyLit(picture([200, 200, 200, 0])), false);
    assert.equal(anyLit(picture()), false);
  });
  /** What a look at each picture says: `[ms, is it lit]`. */
  const looks = (pictures) => {
    let now = 0;
    const lit = firstLit({ isLit: (picture) => /** @type {any} */ (picture) }, () => now);
    return pictures.map(([ms, isLit]) => ((now = ms), lit(isLit)));
  };
  test("a lit picture counts at once, and all after it", () => {
    assert.deepEqual(looks([[900, false], [950, true], [960, false]]), [false, true, true]);
  });
  test("black counts when pictures have come for 3 s, and not sooner", () => {
    assert.deepEqual(looks([[5000, false], [7999, false], [8000, false]]), [false, false, true]);
    assert.deepEqual(looks([[90_000, false]]), [false], "the time before the first picture is none");
  });
  test("one dark grey pixel is enough", () => {
    assert.equal(anyLit(picture([0, 0, 0, 255], [18, 18, 18, 255])), true);
    assert.equal(anyLit(picture([0, 0, 40, 255])), true);
  });
});

describe("road", () => {
  const verdict = (cost) => {
    const road = new Road();
    return Array.from({ length: 300 }, () => road.painted(cost)).filter(Boolean);
  };
  test("cheap painting stays, dear painting goes, each said once", () => {
    assert.deepEqual(verdict(3), ["canvas"]);
    assert.deepEqual(verdict(25), ["video"]);
  });
});

describe("statistics", () => {
  const sample = (at, frames, bytes, more = {}) => ({
    at, frames, bytes, width: 1280, height: 720, rttMs: 1.26, jitterMs: 2, lost: 0, received: 0, ...more,
  });

  test("rates are between two looks", () => {
    const seen = between(sample(1000, 10, 0), sample(3000, 70, 250_000, { lost: 5, received: 95 }));
    assert.deepEqual(seen, {
      ...NO_STATS,
      fps: 30, kbps: 1000, rtt_ms: 1.3, jitter_ms: 2, loss: 0.05, frames: 70, width: 1280, height: 720,
    });
  });

  test("one look alone has no rates, and what is unknown stays null", () => {
    const blind = { rttMs: null, jitterMs: null, lost: null, received: null };
    const only = sample(1000, 10, 5000, blind);
    const seen = between(only, only);
    assert.deepEqual([seen.fps, seen.kbps, seen.rtt_ms, seen.jitter_ms, seen.loss], [0, 0, null, null, null]);
  });

  test("asking often does not shorten the span", () => {
    const recent = new Recent(800);
    recent.add(sample(0, 0, 0));
    recent.add(sample(1000, 30, 0));
    assert.equal(recent.add(sample(1010, 30, 0)).fps, 29.7);
    assert.equal(recent.add(sample(2000, 60, 0)).fps, 30.3);
  });

  test("a report without anything, and one with a relay", () => {
    assert.deepEqual(readReport([]), {
      bytes: 0, rttMs: null, jitterMs: null, lost: null, received: null, relay: false,
      decoded: null, decodeMs: null, decoder: null, local: null, remote: null, transport: null,
      arrived: { bytes: 0, lost: 0, asked: 0, dropped: 0 },
    });
    const report = [
      { type: "transport", id: "T", selectedCandidatePairId: "P" },
      { type: "candidate-pair", id: "P", localCandidateId: "L", currentRoundTripTime: 0.02 },
      { type: "local-candidate", id: "L", candidateType: "relay" },
      { type: "inbound-rtp", kind: "video", bytesReceived: 90, headerBytesReceived: 10, jitter: 0.003,
        packetsLost: 1, packetsReceived: 9 },
    ];
    assert.deepEqual(readReport(report), {
      ...readReport([]),
      ...{ bytes: 100, rttMs: 20, jitterMs: 3, lost: 1, received: 9, relay: true, local: "relay" },
      arrived: { bytes: 90, lost: 1, asked: 0, dropped: 0 },
    });
  });
});

test("a dense screen gets a denser desktop, in quarters, and not more pixels than a machine draws with ease", () => {
  assert.equal(densityOf({ width: 1000, height: 600 }, 1), 100);
  assert.equal(densityOf({ width: 1000, height: 600 }, 2), 200);
  assert.equal(densityOf({ width: 1000, height: 600 }, 1.3333), 125);
  assert.equal(densityOf({ width: 1280, height: 800 }, 3), 200);
  assert.equal(densityOf({ width: 3840, height: 2160 }, 2), 100);
  assert.equal(densityOf({ width: 0, height: 0 }, 2), 100);
  assert.deepEqual(wantedSize({ width: 1000, height: 600 }, 150), { width: 1500, height: 900 });
});

test("a dense phone shows a whole browser window, no narrower than Chromium makes one, with about its own pixels", () => {
  for (const [width, height] of [[390, 664], [360, 580], [412, 700], [320, 500], [844, 270], [400, 800]]) {
    const box = { width, height };
    for (const ratio of [1.25, 1.5, 2, 2.625, 3, 4]) {
      const density = densityOf(box, ratio);
      const size = wantedSize(box, density) ?? HD;
      assert.ok(size.width / density >= 5.1, `${width} at ${ratio}: ${size.width} at ${density} %`);
      assert.ok(Math.abs(size.width / size.height - width / height) < 0.02, "its shape is kept");
      if (width > 350 && width < height) assert.ok(size.width >= width * Math.min(ratio, 3) * 0.82, "sharp enough");
    }
  }
  assert.equal(densityOf({ width: 390, height: 664 }, 2), 150);
  assert.deepEqual(wantedSize({ width: 390, height: 664 }, 150), { width: 780, height: 1328 });
  assert.equal(densityOf({ width: 390, height: 664 }, 3), 225);
  assert.deepEqual(wantedSize({ width: 390, height: 664 }, 225), { width: 1170, height: 1992 });
  assert.equal(densityOf({ width: 720, height: 243 }, 3), 200, "lying");
  assert.deepEqual(wantedSize({ width: 720, height: 243 }, 200), { width: 2370, height: 800 });
  assert.deepEqual(wantedSize({ width: 390, height: 664 }, 200), { width: 1040, height: 1770 }, "another's density holds");
});
