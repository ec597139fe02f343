import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { backoff } from "../static/js/backoff.js";
import { STAGES, about, endingOf, inOrder, moment, safeUrl, shortId, signinWords, span, statsLine } from "../static/js/format.js";
import { IceServerList } from "../static/js/ice.js";
import { randomName } from "../static/js/names.js";
import { NO_STATS } from "../static/js/statistics.js";

describe("backoff", () => {
  const limits = { firstMs: 100, mostMs: 1000 };
  test("doubles up to its limit", () => {
    assert.deepEqual([1, 2, 3, 4, 5, 99].map((n) => backoff(n, limits, () => 1)), [100, 200, 400, 800, 1000, 1000]);
  });
  test("is spread over its upper half", () => assert.equal(backoff(2, limits, () => 0), 100));
});

test("spans", () => {
  assert.deepEqual([0, 999, 1000, 12_340, 65_000].map(span), ["0 ms", "999 ms", "1.0 s", "12.3 s", "1 min 5 s"]);
});

test("stages come in the order they were reached, the others after them in their own", () => {
  const order = inOrder({ accepted: 0, machine: 5, guest: 6, browser: 7, display: 8 });
  assert.deepEqual(order, ["accepted", "machine", "guest", "browser", "display", "desktop", "ready", "first_frame"]);
  assert.deepEqual(inOrder({}), [...STAGES]);
});

test("about how long", () => {
  assert.deepEqual(
    [5000, 60_000, 7_200_000, 90_000_000, -180_000].map(about),
    ["less than a minute", "1 minute", "2 hours", "1 day", "3 minutes"],
  );
});

test("moments", () => {
  assert.equal(moment(null), "no end known");
  assert.match(moment(Date.UTC(2026, 10, 22, 12), "en-GB"), /22 Nov 2026/);
});

test("only web links are links", () => {
  assert.equal(safeUrl("https://example.org/a?b=c"), "https://example.org/a?b=c");
  for (const bad of [null, "", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//host", "no url"]) {
    assert.equal(safeUrl(bad), null);
  }
});

test("the stats line leaves out what is unknown", () => {
  assert.equal(statsLine({ ...NO_STATS, fps: 29.7, kbps: 1804.2, rtt_ms: 3.2, width: 1280, height: 720 }), "30 fps · 1804 kbit/s · 3.2 ms · 1280 × 720");
  assert.equal(statsLine({ ...NO_STATS, kbps: 42_000 }), "0 fps · 42.0 Mbit/s");
});

test("words for people", () => {
  assert.match(endingOf("idle"), /watching/);
  assert.equal(endingOf("something new"), "It is over.");
  assert.equal(signinWords(/** @type {any} */ ({ stage: "done" })), "Signed in and saved");
  assert.equal(shortId("ses_abcdefghij"), "abcdef");
  assert.match(randomName(), /^[0-9a-f]{32}$/);
});

describe("ICE servers", () => {
  test("are asked for once while they live", async () => {
    let asked = 0;
    const list = new IceServerList(async () => (asked++, { ice_servers: [{ urls: "turn:t" }], ttl_s: 600 }));
    await Promise.all([list.current(), list.current()]);
    assert.deepEqual(await list.current(), [{ urls: "turn:t" }]);
    assert.equal(asked, 1);
  });

  test("a server that is away means none", async () => {
    const list = new IceServerList(() => Promise.reject(new Error("away")));
    assert.deepEqual(await list.current(), []);
  });
});

test("a stage of warm machines shows only where it was reached", () => {
  assert.equal(inOrder({ accepted: 0 }).includes("claimed"), false);
  assert.deepEqual(inOrder({ accepted: 0, machine: 2, claimed: 90 }).slice(0, 3), ["accepted", "machine", "claimed"]);
});
