import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Black, BlackWatch } from "../static/js/black.js";
import { LIMITS } from "../static/js/limits.js";

const { passingMs, askMs, brokenMs, unanswered } = LIMITS.black;

/** Look each 100 ms at a black picture from `from` up to `to`; the guest answers each question by `lit`. */
function watch(black, from, to, lit) {
  const did = [];
  for (let now = from; now < to; now += 100) {
    const what = black.look(now, true);
    if (what) did.push(what);
    if (what === "ask" && lit !== null) black.told(now + 20, lit);
  }
  return did;
}

test("a black desktop is asked about, and left alone, for hours", () => {
  const did = watch(new Black(), 0, 3_600_000, false);
  assert.deepEqual([...new Set(did)], ["ask"]);
  assert.ok(did.length <= 3_600_000 / askMs);
});

test("a black picture of a desktop that is lit: a key frame, and then another way", () => {
  const did = watch(new Black(), 0, passingMs + brokenMs + 300, true);
  assert.equal(did[0], "ask");
  assert.equal(did[1], "nudge");
  assert.equal(did.at(-1), "broken");
});

test("a picture that is lit again in time clears everything", () => {
  const black = new Black();
  assert.ok(!watch(black, 0, passingMs + brokenMs - 200, true).includes("broken"));
  assert.equal(black.look(5000, false), null);
  assert.deepEqual(watch(black, 5100, 5100 + passingMs - 100, true), []);
});

test("a desktop that turned black after the question is asked about again", () => {
  const black = new Black();
  black.look(0, true);
  assert.equal(black.look(passingMs, true), "ask");
  black.told(passingMs, true);
  assert.ok(!watch(black, passingMs + 100, 60_000, false).includes("broken"));
});

test("a guest that knows no answer is not asked for ever", () => {
  assert.deepEqual(watch(new Black(), 0, 600_000, null), Array(unanswered).fill("ask"));
});

test("an answer that nobody waits for changes nothing", () => {
  const black = new Black();
  black.told(0, true);
  assert.deepEqual(watch(black, 10_000, 10_000 + passingMs, false), []);
});

describe("a watch of what is drawn", () => {
  /** A picture says itself whether it is lit; looking at it is counted. */
  const context = () => {
    let lit = false;
    return {
      drawImage: (/** @type {any} */ picture) => void ((lit = picture.lit), (picture.looks += 1)),
      getImageData: () => ({ data: new Uint8ClampedArray(lit ? [200, 200, 200, 255] : [0, 0, 0, 255]) }),
    };
  };
  const before = /** @type {any} */ (globalThis);
  const kept = [before.document, before.OffscreenCanvas];

  beforeEach(() => {
    before.document = { createElement: () => ({ getContext: context }) };
    before.OffscreenCanvas = class { getContext = context; };
  });
  afterEach(() => void ([before.document, before.OffscreenCanvas] = kept));

  /** Draw 50 pictures a second of this kind for so long; what was done. @param {boolean} lit @param {number} ms @param {unknown} [answer] */
  const draw = (lit, ms, answer) => {
    /** @type {string[]} */
    const did = [];
    const picture = { lit, looks: 0 };
    let now = 0;
    const watch = new BlackWatch({
      ask: () => void (did.push("ask"), answer !== undefined && watch.told(now, answer)),
      nudge: () => did.push("nudge"),
      broken: () => did.push("broken"),
    });
    for (; now < ms; now += 20) watch.drawn(now, /** @type {any} */ (picture), { width: 64, height: 64 });
    return { did, looks: picture.looks };
  };

  test("a picture counts as lit once it was looked at, and no longer than until the next", () => {
    const watch = new BlackWatch({ ask: () => {}, nudge: () => {}, broken: () => {} });
    const show = (now, lit) => (watch.drawn(now, /** @type {any} */ ({ lit, looks: 0 }), { width: 64, height: 64 }), watch.lit);
    assert.equal(watch.lit, false);
    assert.deepEqual([show(0, true), show(200, true), show(1200, true), show(2400, false)], [true, false, true, false]);
  });

  test("a lit picture is looked at once a second, and nobody is asked", () => {
    const { did, looks } = draw(true, 20_000);
    assert.deepEqual(did, []);
    assert.ok(looks >= 10 && looks <= 21, `${looks}`);
  });

  test("a black one is asked about once a second, and what the guest says decides", () => {
    const black = draw(false, 20_000, 0);
    assert.deepEqual([...new Set(black.did)], ["ask"]);
    assert.ok(black.did.length >= 10 && black.did.length <= 20, `${black.did.length}`);
    assert.ok(draw(false, 20_000, 1).did.includes("broken"));
  });

  test("an answer that is none is nobody's word", () => {
    assert.deepEqual(draw(false, 60_000, "yes").did, Array(unanswered).fill("ask"));
  });
});
