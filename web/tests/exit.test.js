import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { amount, leaves, look, remark } from "../static/js/exit.js";
import { badge, place, summary } from "../static/js/exits.js";

const OWN = /** @type {import("../types/model").OwnExit} */ ({
  kind: "upstream", exit: "ext_a", address: "203.0.113.7", address_at: 1, state: "healthy", shared: false, asked: false, word: "",
});
const EXIT = /** @type {import("../types/model").Exit} */ ({
  id: "ext_a", label: "a", scheme: "http", host: "proxy.example", port: 80, username: null, region: "", tags: [], draining: false,
  state: "healthy", score: 100, latency_ms: null, why: "", address: null, bytes_up: 0, bytes_down: 0, users: [],
});

describe("one's own way out", () => {
  test("has an address", () => assert.equal(leaves(OWN), "You leave by 203.0.113.7"));
  test("or is being measured", () => assert.match(leaves({ ...OWN, address: null }), /being measured/));
  test("or is the server's own", () => assert.match(leaves({ ...OWN, kind: "direct", address: null }), /server's own/));
  test("or is none, and says why", () => {
    assert.equal(leaves({ ...OWN, kind: "none", word: "All are taken." }), "All are taken.");
    assert.match(leaves({ ...OWN, kind: "none" }), /no way out/);
  });
  test("has a remark when it is quiet or moved", () => {
    assert.equal(remark(OWN), "");
    assert.equal(remark({ ...OWN, word: "Moved." }), "Moved.");
    assert.match(remark({ ...OWN, state: "quarantined" }), /does not answer/);
    assert.equal(remark({ ...OWN, kind: "none", word: "None." }), "");
  });
  test("looks as it is", () => {
    assert.deepEqual(
      [OWN, { ...OWN, asked: true }, { ...OWN, word: "Moved." }, /** @type {typeof OWN} */ ({ ...OWN, kind: "none" })].map(look),
      ["good", "warn", "warn", "none"],
    );
  });
});

test("amounts", () => {
  assert.deepEqual([0, 999, 1000, 12_345, 3_400_000, 9_990_000_000, 5e15].map(amount), [
    "0 B", "999 B", "1.0 kB", "12 kB", "3.4 MB", "10.0 GB", "5000 TB",
  ]);
});

describe("the pool", () => {
  test("in a sentence", () => {
    assert.equal(summary([]), "There is no exit.");
    const pool = [EXIT, { ...EXIT, users: ["ada"] }, { ...EXIT, draining: true }, { ...EXIT, state: /** @type {const} */ ("dead") }];
    assert.equal(summary(pool), "2 of 4 work, 1 are free.");
  });
  test("each with its badge", () => {
    assert.equal(badge(EXIT), "live");
    assert.equal(badge({ ...EXIT, state: "suspect" }), "connecting");
    assert.equal(badge({ ...EXIT, state: "quarantined" }), "lost");
    assert.equal(badge({ ...EXIT, draining: true }), "over");
  });
  test("and its place", () => {
    assert.equal(place({ ...EXIT, username: "us…" }), "http://us…@proxy.example:80");
    assert.equal(place({ ...EXIT, host: "2001:db8::1" }), "http://[2001:db8::1]:80");
  });
});
