import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

/** As much of a page as keys need. */
class Element extends EventTarget {
  style = {};
  documentElement = {};
  value = "";
  append() {}
  remove() {}
  setAttribute() {}
  contains = () => false;
  createElement = () => new Element();
}
const page = /** @type {any} */ (globalThis);
page.window ??= new EventTarget();
page.document ??= new Element();
page.matchMedia ??= () => ({ matches: false });
page.navigator ??= { platform: "Linux", userAgent: "" };
page.MutationObserver ??= class {};
page.location ??= new URL("https://example.org/");
const { VncKeys } = await import("../static/js/vnc_keys.js");

/** The channel, as far as keys know it; what is said is in `said`. */
const channelOf = (said) => ({ ready: true, crowded: false, clip: null, hear() {}, say: (...what) => said.push(what) });

describe("keys into a noVNC that stands still", () => {
  /** @type {unknown[][]} */
  let said;
  let lost = 0;
  /** @type {VncKeys} */
  let keys;

  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    let now = 0;
    mock.method(performance, "now", () => now);
    page.pass = (ms) => (now += ms);
    [said, lost] = [[], 0];
    const on = { dropped: (count) => (lost += count), heard() {} };
    keys = new VncKeys(/** @type {any} */ (new Element()), () => {}, /** @type {any} */ (channelOf(said)), on);
  });

  afterEach(() => {
    keys.stop();
    mock.timers.reset();
    mock.restoreAll();
  });

  test("wait, and are typed in order when it goes on in time", () => {
    keys.type("a");
    keys.hold(true);
    keys.type("b");
    keys.type("c");
    assert.deepEqual(said, [["t", "a"]]);
    page.pass(4900);
    keys.hold(false);
    keys.hold(false);
    assert.deepEqual(said, [["t", "a"], ["t", "b"], ["t", "c"]]);
    assert.equal(lost, 0);
  });

  test("are dropped, all of them, and counted, when it goes on later", () => {
    keys.hold(true);
    keys.type("b");
    page.pass(4000);
    keys.type("c");
    page.pass(1100);
    keys.hold(false);
    assert.deepEqual(said, [["r"]], "what was let go of meanwhile is let go of");
    assert.equal(lost, 2);
    keys.type("d");
    assert.deepEqual(said.at(-1), ["t", "d"]);
  });

  test("are another rung's to type, when one follows", () => {
    keys.hold(true);
    keys.type("b");
    page.pass(1000);
    const { kept, since } = keys.left();
    assert.deepEqual([kept, since], [[["t", "b"]], 0]);
    keys.hold(false);
    assert.deepEqual(said, []);
  });
});
