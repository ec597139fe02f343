import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { Gestures, HOLD_MS } from "../static/js/gestures.js";
import { Holding } from "../static/js/holding.js";
import { isPaste, latin } from "../static/js/keysyms.js";
import { Repeats } from "../static/js/repeats.js";
import { Steps, Wheel } from "../static/js/wheel.js";

describe("wheel", () => {
  const pixels = (deltaX, deltaY, more = {}) => ({ deltaX, deltaY, deltaMode: 0, ...more });

  test("one click is one notch, however many pixels a browser makes of it", () => {
    for (const deltaY of [53, 100, 120, 150]) {
      assert.deepEqual(new Wheel().add(pixels(0, deltaY, { wheelDeltaX: 0, wheelDeltaY: -120 }), 700), { dx: 0, dy: 1 });
    }
    assert.deepEqual(new Wheel().add(pixels(-100, 0, { wheelDeltaX: 120, wheelDeltaY: 0 }), 700), { dx: -1, dy: 0 });
  });

  test("a touchpad's small steps add up, none is lost", () => {
    const wheel = new Wheel();
    const found = Array.from({ length: 106 }, () => wheel.add(pixels(0, 1, { wheelDeltaY: -3 }), 700)).filter(Boolean);
    assert.deepEqual(found, [{ dx: 0, dy: 1 }, { dx: 0, dy: 1 }]);
    assert.deepEqual(new Wheel().add(pixels(-60, 0), 700), { dx: -1, dy: 0 });
    assert.deepEqual(new Wheel().add(pixels(0, 30), 700, 0.5), { dx: 0, dy: 1 }, "of a picture at half size");
  });

  test("turning back starts from nothing", () => {
    const wheel = new Wheel();
    wheel.add(pixels(0, 50), 700);
    assert.equal(wheel.add(pixels(0, -50), 700), null);
    assert.deepEqual(wheel.add(pixels(0, -3), 700), { dx: 0, dy: -1 });
  });

  test("lines and pages count too, and nothing exceeds ten", () => {
    assert.deepEqual(new Wheel().add({ deltaX: 0, deltaY: 3, deltaMode: 1 }, 700), { dx: 0, dy: 1 });
    assert.deepEqual(new Wheel().add({ deltaX: 0, deltaY: -1, deltaMode: 2 }, 106), { dx: 0, dy: -2 });
    assert.deepEqual(new Wheel().add(pixels(0, 99_999), 700), { dx: 0, dy: 10 });
  });

  test("a pinch is a zoom by small steps", () => {
    const wheel = new Wheel();
    const found = Array.from({ length: 10 }, () => wheel.add(pixels(0, -4, { ctrlKey: true }), 700)).filter(Boolean);
    assert.deepEqual(found, Array.from({ length: 4 }, () => ({ dx: 0, dy: -1 })));
  });

  test("relative moves keep their fractions and their limits", () => {
    const steps = new Steps();
    const found = [0.4, 0.4, 0.4, -0.2].map((x) => steps.add(x, -x).dx);
    assert.deepEqual(found, [0, 0, 1, 0]);
    assert.deepEqual(steps.add(99_999, -99_999), { dx: 4096, dy: -4096 });
  });
});

describe("fingers", () => {
  /** @param {...[string, number, number, number, number]} script type, id, x, y, at */
  const play = (...script) => {
    const gestures = new Gestures();
    return script.flatMap(([type, id, x, y, at]) => {
      if (type === "wait") return gestures.tick(at) ? ["held"] : [];
      return gestures.handle({ type, id, x, y, at }).map((gesture) => Object.values(gesture).join(" "));
    });
  };

  test("a tap is a click, two are a double click at one place", () => {
    assert.deepEqual(
      play(["down", 1, 50, 60, 0], ["move", 1, 53, 62, 40], ["up", 1, 53, 62, 80], ["down", 1, 60, 55, 200], ["up", 1, 60, 55, 260]),
      ["press 1 50 60", "release 1 50 60", "press 1 50 60", "release 1 50 60"],
    );
  });

  test("held and let go is the right button", () => {
    assert.deepEqual(play(["down", 1, 5, 6, 0], ["wait", 0, 0, 0, HOLD_MS], ["up", 1, 5, 6, 700]), ["held", "press 3 5 6", "release 3 5 6"]);
  });

  test("held and moved drags, and so does a second tap that moves", () => {
    assert.deepEqual(
      play(["down", 1, 5, 6, 0], ["wait", 0, 0, 0, HOLD_MS], ["move", 1, 55, 6, 600], ["move", 1, 60, 6, 650], ["up", 1, 60, 6, 700]),
      ["held", "press 1 5 6", "move 55 6", "move 60 6", "release 1 60 6"],
    );
    assert.deepEqual(
      play(["down", 1, 5, 6, 0], ["up", 1, 5, 6, 50], ["down", 1, 6, 6, 150], ["move", 1, 40, 6, 200], ["cancel", 1, 40, 6, 250]).slice(2),
      ["press 1 5 6", "move 40 6", "release 1 40 6"],
    );
  });

  test("one finger scrolls, and stops as it lifts", () => {
    assert.deepEqual(
      play(["down", 1, 50, 100, 0], ["move", 1, 50, 70, 20], ["move", 1, 45, 40, 40], ["up", 1, 45, 40, 60]),
      ["scroll 50 100 0 30", "scroll 50 100 5 30"],
    );
  });

  test("two fingers zoom, scroll side by side, or tap", () => {
    const zoom = play(["down", 1, 100, 100, 0], ["down", 2, 200, 100, 10], ["move", 2, 260, 100, 30], ["move", 2, 160, 100, 60], ["up", 2, 160, 100, 80], ["up", 1, 100, 100, 90]);
    assert.deepEqual(zoom, ["zoom 4 150 100", "zoom -9 150 100"]);
    const pan = play(["down", 1, 100, 100, 0], ["down", 2, 200, 100, 10], ["move", 1, 100, 40, 30], ["move", 2, 200, 40, 40], ["up", 1, 100, 40, 50]);
    assert.deepEqual(pan, ["scroll 100 100 0 30", "scroll 100 100 0 30"]);
    assert.deepEqual(play(["down", 1, 0, 0, 0], ["down", 2, 20, 0, 10], ["up", 1, 0, 0, 90], ["up", 2, 20, 0, 99]), ["press 3 10 0", "release 3 10 0"]);
  });

  test("whatever fingers do, a button that went down goes up", () => {
    let seed = 7;
    const dice = (/** @type {number} */ sides) => (seed = (seed * 48271) % 2147483647) % sides;
    const gestures = new Gestures();
    let down = 0;
    for (let at = 0; at < 20_000; at += 37) {
      gestures.tick(at);
      const type = /** @type {any} */ (["down", "move", "move", "up", "cancel"][dice(5)]);
      for (const { do: what } of gestures.handle({ type, id: dice(3), x: dice(90), y: dice(90), at })) {
        down += what === "press" ? 1 : what === "release" ? -1 : 0;
        assert.ok(down === 0 || down === 1);
      }
    }
    for (const id of [0, 1, 2]) {
      for (const { do: what } of gestures.handle({ type: "cancel", id, x: 0, y: 0, at: 1e6 })) down -= what === "release" ? 1 : 0;
    }
    assert.equal(down, 0);
  });
});

describe("what is held back", () => {
  test("goes out in its order, by word or by time", async () => {
    /** @type {unknown[]} */
    const out = [];
    const holding = new Holding((...what) => out.push(what.join(" ")));
    holding.say("k", 1);
    holding.hold(10_000);
    holding.say("k", 2);
    holding.say("t", "x");
    assert.deepEqual(out, ["k 1"]);
    holding.go();
    assert.deepEqual(out, ["k 1", "k 2", "t x"]);
    holding.hold(5);
    holding.say("k", 3);
    await new Promise((later) => setTimeout(later, 30));
    assert.deepEqual(out.at(-1), "k 3");
    assert.ok(!holding.holds);
  });
});

describe("shortcuts", () => {
  test("of a layout without Latin letters go by the place of the key", () => {
    assert.equal(latin(0x6d3, "KeyC"), 0x63);
    assert.equal(latin(0x0100_0441, "KeyC"), 0x63);
    for (const [keysym, code] of [[0x63, "KeyC"], [0xe4, "KeyA"], [0xff0d, "Enter"], [0x6d3, "Comma"]]) {
      assert.equal(latin(/** @type {number} */ (keysym), /** @type {string} */ (code)), keysym);
    }
  });

  test("what pastes", () => {
    const key = (code, key, more) => /** @type {any} */ ({ code, key, ctrlKey: false, shiftKey: false, altKey: false, metaKey: false, ...more });
    assert.ok(isPaste(key("KeyV", "v", { ctrlKey: true })));
    assert.ok(isPaste(key("KeyV", "V", { ctrlKey: true, shiftKey: true })));
    assert.ok(isPaste(key("KeyV", "м", { ctrlKey: true })));
    assert.ok(isPaste(key("Period", "v", { ctrlKey: true })), "Dvorak");
    assert.ok(isPaste(key("Insert", "Insert", { shiftKey: true })));
    assert.ok(!isPaste(key("KeyV", "k", { ctrlKey: true })), "Dvorak");
    assert.ok(!isPaste(key("KeyV", "v", { ctrlKey: true, altKey: true })));
    assert.ok(!isPaste(key("KeyV", "v", {})));
  });
});

describe("a held key repeats", () => {
  test("as often as its keyboard says, and a modifier never", () => {
    const found = [];
    const repeats = new Repeats((keysym) => found.push(keysym), false);
    repeats.down(0x61);
    for (const keysym of [0x61, 0xffe1, 0x61]) repeats.said(keysym);
    assert.deepEqual(found, [0x61, 0x61]);
  });

  test("by a clock on a Mac, until it or all is let go", (t) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    t.after(() => mock.timers.reset());
    const found = [];
    const repeats = new Repeats((keysym) => found.push(keysym), true);
    const wait = (/** @type {number} */ times) => Array.from({ length: times }, () => mock.timers.tick(33));
    repeats.down(0x61);
    repeats.said(0x61);
    mock.timers.tick(499);
    assert.deepEqual(found, []);
    mock.timers.tick(1);
    wait(2);
    repeats.down(0xffe1);
    repeats.up(0x62);
    wait(1);
    assert.deepEqual(found, [0x61, 0x61, 0x61, 0x61]);
    repeats.up(0x61);
    wait(20);
    repeats.down(0x62);
    repeats.stop();
    wait(20);
    assert.equal(found.length, 4);
  });
});
