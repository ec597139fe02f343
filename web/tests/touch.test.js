import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { Fingers } from "../static/js/fingers.js";

describe("fingers that touch", () => {
  const at = (/** @type {number} */ x) => ({ x, y: 5 });

  test("have the lowest free number each, until they lift", () => {
    const fingers = new Fingers();
    assert.ok(fingers.handle("down", 101, at(1)) && fingers.handle("down", 102, at(2)));
    assert.deepEqual(fingers.list(), [[0, 1, 5], [1, 2, 5]]);
    assert.ok(fingers.handle("up", 101, at(1)) && fingers.handle("down", 103, at(3)) && fingers.handle("move", 102, at(9)));
    assert.deepEqual(fingers.list(), [[1, 9, 5], [0, 3, 5]]);
    assert.ok(fingers.handle("cancel", 102, at(0)) && fingers.handle("up", 103, at(0)) && !fingers.any);
  });

  test("are ten, and what never went down neither moves nor lifts", () => {
    const fingers = new Fingers();
    for (let id = 0; id < 10; id += 1) assert.ok(fingers.handle("down", id, at(id)));
    assert.ok(!fingers.handle("down", 10, at(1)) && !fingers.handle("move", 10, at(1)) && !fingers.handle("up", 10, at(1)));
    assert.ok(!fingers.handle("down", 3, at(1)));
    assert.equal(new Set(fingers.list().map(([number]) => number)).size, 10);
  });
});

describe("a touch screen", () => {
  /** @type {Record<string, unknown>} */
  const globals = /** @type {any} */ (globalThis);
  const before = { ...globals };
  /** @type {EventTarget} */
  let leaving;
  /** @type {Map<string, string>} */
  let kept;
  let coarse = true;

  beforeEach(() => {
    mock.timers.enable({ apis: ["setInterval"] });
    leaving = new EventTarget();
    kept = new Map();
    coarse = true;
    globals["window"] = leaving;
    globals["document"] = Object.assign(new EventTarget(), { hidden: false });
    globals["matchMedia"] = () => ({ matches: coarse });
    globals["localStorage"] = { getItem: (/** @type {string} */ key) => kept.get(key) ?? null, setItem: (/** @type {string} */ key, /** @type {string} */ value) => kept.set(key, value) };
  });
  afterEach(() => {
    mock.timers.reset();
    for (const name of ["window", "document", "matchMedia", "localStorage"]) {
      if (name in before) globals[name] = before[name];
      else delete globals[name];
    }
  });

  const made = async () => {
    const { Touch } = await import("../static/js/touch.js");
    /** @type {string[]} */
    const said = [];
    const touch = new Touch((tag, ...rest) => said.push(`${tag} ${JSON.stringify(rest)}`), (list) => said.push(`g ${JSON.stringify([list])}`));
    return { touch, said };
  };

  test("is a phone's at once: fingers go down and up by the sure channel, and move by the quick one", async () => {
    const { touch, said } = await made();
    assert.deepEqual(said.splice(0), ["y [1]"]);
    assert.ok(touch.handle("down", 7, { x: 1, y: 2 }) && touch.handle("move", 7, { x: 3, y: 2 }) && touch.handle("move", 7, null));
    mock.timers.tick(1000);
    assert.ok(touch.handle("up", 7, { x: 3, y: 2 }) && !touch.handle("move", 7, { x: 3, y: 2 }));
    assert.deepEqual(said, ["f [[[0,1,2]]]", "g [[[0,3,2]]]", "f [[[0,3,2]]]", "f [[]]"]);
    touch.stop();
  });

  test("of a computer wakes with its first finger, which is a pointer's, and sleeps with its mouse", async () => {
    coarse = false;
    const { touch, said } = await made();
    touch.mouse();
    assert.deepEqual(said, []);
    assert.ok(!touch.handle("down", 1, { x: 1, y: 1 }) && !touch.handle("up", 1, { x: 1, y: 1 }));
    assert.ok(touch.handle("down", 2, { x: 1, y: 1 }));
    touch.mouse();
    touch.handle("up", 2, { x: 1, y: 1 });
    touch.mouse();
    assert.deepEqual(said, ["y [1]", "f [[[0,1,1]]]", "f [[]]", "y [0]"]);
    touch.stop();
  });

  test("lets go where the page is left, and is asked for anew by who drives again", async () => {
    const { touch, said } = await made();
    touch.handle("down", 1, { x: 1, y: 1 });
    leaving.dispatchEvent(new Event("blur"));
    assert.ok(!touch.handle("move", 1, { x: 2, y: 1 }) && !touch.handle("up", 1, { x: 2, y: 1 }));
    touch.drive(false);
    assert.ok(!touch.handle("down", 2, { x: 1, y: 1 }));
    touch.drive(true);
    assert.deepEqual(said, ["y [1]", "f [[[0,1,1]]]", "y [1]"]);
    touch.stop();
  });

  test("is given up where fingers are to move the pointer, and that is remembered", async () => {
    const { preferPointer, prefersPointer } = await import("../static/js/touch.js");
    const { touch, said } = await made();
    preferPointer(true);
    touch.prefer(prefersPointer());
    assert.ok(!touch.handle("down", 1, { x: 1, y: 1 }));
    touch.stop();
    const again = await made();
    assert.deepEqual([said, again.said], [["y [1]", "y [0]"], []]);
    again.touch.prefer(false);
    assert.deepEqual(again.said, ["y [1]"]);
    again.touch.stop();
    globals["localStorage"] = undefined;
    assert.equal(prefersPointer(), false);
    preferPointer(true);
  });
});
