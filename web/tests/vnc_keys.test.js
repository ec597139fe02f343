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
const { LIMITS } = await import("../static/js/limits.js");
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
    keys = new VncKeys(/** @type {any} */ (new Element()), { key() {}, ready: () => true }, /** @type {any} */ (channelOf(said)), on);
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

describe("keys into a noVNC whose channel is on its way", () => {
  /** @type {unknown[][]} */
  let said;
  /** @type {unknown[][]} */
  let byRfb;
  let ready = false;
  /** RFB's socket is there. */
  let picture = true;
  let lost = 0;
  /** @type {any} what the channel tells */
  let tell;
  /** @type {VncKeys} */
  let keys;

  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    mock.method(performance, "now", () => 0);
    [said, byRfb, ready] = [[], [], false];
    const channel = {
      get ready() {
        return ready;
      },
      crowded: false,
      clip: null,
      hear: (/** @type {any} */ on) => (tell = on),
      say: (/** @type {unknown[]} */ ...what) => (ready ? said.push(what) : 0),
    };
    const rfb = { key: (/** @type {any[]} */ ...key) => byRfb.push(key), ready: () => picture };
    picture = true;
    lost = 0;
    const on = { dropped: (/** @type {number} */ count) => (lost += count), heard() {} };
    keys = new VncKeys(/** @type {any} */ (new Element()), rfb, /** @type {any} */ (channel), on);
  });

  afterEach(() => {
    keys.stop();
    mock.timers.reset();
    mock.restoreAll();
  });

  test("go by it, in order, and none by RFB", () => {
    keys.type("a");
    keys.type("b");
    assert.deepEqual([said, byRfb], [[], []]);
    ready = true;
    tell.open();
    keys.type("c");
    assert.deepEqual(said, [["t", "a"], ["t", "b"], ["t", "c"]]);
    assert.deepEqual(byRfb, []);
  });

  test("go by RFB when it cannot be reached, and again before the next try", () => {
    keys.type("a");
    tell.gone();
    keys.type("b");
    assert.deepEqual(byRfb, [[0x61], [0x62]]);
  });

  test("go by RFB when it takes too long, or more is typed than may wait", () => {
    keys.type("a");
    mock.timers.tick(1999);
    assert.deepEqual(byRfb, []);
    mock.timers.tick(1);
    keys.type("b");
    assert.deepEqual(byRfb, [[0x61], [0x62]]);
  });

  test("are not dropped for being many", () => {
    const many = LIMITS.gap.most + 50;
    for (let one = 0; one < many; one++) keys.type("a");
    assert.equal(byRfb.length, many);
  });

  test("wait on when nobody says that they arrive", () => {
    keys.type("a");
    keys.hold(true);
    ready = true;
    tell.open();
    assert.deepEqual(said, []);
    keys.hold(false);
    assert.deepEqual(said, [["t", "a"]]);
  });

  test("wait for one that is gone, which may be back at once", () => {
    ready = true;
    tell.open();
    ready = false;
    tell.gone();
    keys.type("a");
    assert.deepEqual(byRfb, []);
    ready = true;
    tell.open();
    assert.deepEqual(said, [["t", "a"]]);
    assert.deepEqual(byRfb, []);
  });

  test("go by RFB when one that is gone does not come back", () => {
    ready = true;
    tell.open();
    ready = false;
    tell.gone();
    keys.type("a");
    tell.gone();
    assert.deepEqual(byRfb, [[0x61]]);
  });

  test("are another rung's, in order and none in doubt, when both sockets are closing", () => {
    ready = true;
    tell.open();
    tell.is(7);
    keys.type("a");
    [ready, picture] = [false, false];
    keys.type("b");
    tell.gone();
    keys.type("c");
    keys.broke();
    keys.type("d");
    const left = keys.left();
    assert.deepEqual(left.sent.map(({ typed }) => typed), [["t", "a"]]);
    assert.deepEqual(left.kept, [["t", "b"], ["t", "c"], ["t", "d"]]);
    assert.deepEqual([left.epoch, left.lost, byRfb], [7, 0, []]);
  });

  test("of one that nobody acknowledges are in doubt alone as both sockets close", () => {
    ready = true;
    tell.open();
    keys.type("a");
    [ready, picture] = [false, false];
    keys.type("b");
    tell.gone();
    keys.broke();
    const left = keys.left();
    assert.deepEqual([left.sent, left.kept, left.lost, lost], [[], [["t", "b"]], 1, 0]);
  });

  test("which a gap dropped as the channel went are said to be lost once", () => {
    ready = true;
    tell.open();
    tell.is(7);
    keys.hold(true);
    for (let one = 0; one <= LIMITS.gap.most; one++) keys.type("a");
    tell.gone();
    assert.equal(lost, LIMITS.gap.most + 1);
    assert.equal(keys.left().lost, 0);
  });
});
