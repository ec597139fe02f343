import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../static/js/api.js";
import { plainName, underFreeName, withPatience } from "../static/js/transfer.js";

/** @param {string} name @param {...string} taken */
const named = (name, ...taken) => plainName(name, new Set(taken));

test("a plain name stays", () => {
  for (const name of ["a.txt", "übung 1.pdf", "日本語.png", "a.tar.gz"]) assert.equal(named(name), name);
});

test("a name that is taken is numbered before its ending", () => {
  assert.equal(named("a.txt", "a.txt"), "a (2).txt");
  assert.equal(named("a.txt", "a.txt", "a (2).txt"), "a (3).txt");
  assert.equal(named("Makefile", "Makefile"), "Makefile (2)");
});

test("what the server does not take is not sent", () => {
  assert.equal(named(".bashrc"), "_bashrc");
  assert.equal(named("..\\..\\x"), "__.._x");
  assert.equal(named("a\u202egpj.exe"), "a_gpj.exe");
  assert.equal(named("u\u0308.txt"), "ü.txt");
  assert.equal(named(" a "), "a");
  assert.equal(named(""), "file");
  assert.equal(named("a/b\0c\nd"), "a_b_c_d");
});

test("a long name keeps its ending, in whole characters", () => {
  const long = named(`${"ü".repeat(300)}.pdf`, `${"ü".repeat(98)}.pdf`);
  assert.ok(new TextEncoder().encode(long).length <= 200);
  assert.match(long, /^ü+ \(2\)\.pdf$/);
});

/** A desktop on which these names are taken. @param {...string} taken */
function desktop(...taken) {
  const has = new Set(taken);
  const sent = /** @type {string[]} */ ([]);
  /** @param {string} name */
  const send = (name) => {
    sent.push(name);
    const done = has.has(name) ? Promise.reject(new ApiError(412)) : Promise.resolve();
    return { done, cancel: () => {} };
  };
  return { send, sent };
}

/** @param {ReadonlySet<string>} tried */
const next = (tried) => plainName("a.txt", tried);

test("a name that is taken after all is followed by the next", async () => {
  const { send, sent } = desktop("a.txt", "a (2).txt");
  await underFreeName(next, send).done;
  assert.deepEqual(sent, ["a.txt", "a (2).txt", "a (3).txt"]);
});

test("names are tried so often and no more, and another refusal is the end", async () => {
  const all = [...Array(200).keys()].map((number) => (number ? `a (${number + 1}).txt` : "a.txt"));
  const { send, sent } = desktop(...all);
  await assert.rejects(underFreeName(next, send).done, { status: 412 });
  assert.equal(sent.length, 50);
  const full = underFreeName(next, () => ({ done: Promise.reject(new ApiError(507)), cancel: () => {} }));
  await assert.rejects(full.done, { status: 507 });
});

test("a transfer that is cancelled between two names tries no other", async () => {
  const { send, sent } = desktop("a.txt");
  const transfer = underFreeName(next, send);
  transfer.cancel();
  await assert.rejects(transfer.done, { name: "AbortError" });
  assert.deepEqual(sent, ["a.txt"]);
});

/** A server that has no place so often, and says when to ask again. @param {number} refusals @param {number | null} [seconds] */
function busy(refusals, seconds = null) {
  const waits = /** @type {number[]} */ ([]);
  let begun = 0;
  let told = 0;
  const begin = () => {
    begun += 1;
    const done = begun > refusals ? Promise.resolve() : Promise.reject(new ApiError(429, {}, seconds));
    return { done, cancel: () => {} };
  };
  const transfer = () => withPatience(begin, () => (told += 1), async (ms) => void waits.push(ms));
  return { transfer, waits, begun: () => begun, told: () => told };
}

test("a transfer that is told to wait waits so long, and goes on", async () => {
  const server = busy(3, 20);
  await server.transfer().done;
  assert.deepEqual(server.waits, [20_000, 20_000, 20_000]);
  assert.deepEqual([server.begun(), server.told()], [4, 3]);
});

test("without a word of the server's it waits longer each time, and not for ever", async () => {
  const server = busy(Infinity);
  await assert.rejects(server.transfer().done, { status: 429 });
  assert.equal(server.begun(), 51);
  assert.ok(server.waits.every((ms) => ms >= 500 && ms <= 15_000));
  assert.ok(/** @type {number} */ (server.waits.at(-1)) > /** @type {number} */ (server.waits[0]));
});

test("another refusal is the end, and is not waited for", async () => {
  let begun = 0;
  const begin = () => ({ done: ((begun += 1), Promise.reject(new ApiError(507))), cancel: () => {} });
  await assert.rejects(withPatience(begin).done, { status: 507 });
  assert.equal(begun, 1);
});

test("a transfer that is cancelled while it waits ends then, and is not begun again", async () => {
  let begun = 0;
  const begin = () => ({ done: ((begun += 1), Promise.reject(new ApiError(429, {}, 3600))), cancel: () => {} });
  const waits = new Promise((resolve) => {
    const transfer = withPatience(begin, () => resolve(transfer));
  });
  const transfer = /** @type {import("../static/js/transfer.js").Transfer} */ (await waits);
  transfer.cancel();
  await assert.rejects(transfer.done, { name: "AbortError" });
  assert.equal(begun, 1);
});

test("a cancel reaches the transfer that is on its way", async () => {
  const transfer = withPatience(() => {
    let stop = (/** @type {Error} */ _) => {};
    const done = /** @type {Promise<void>} */ (new Promise((_, reject) => (stop = reject)));
    return { done, cancel: () => stop(new DOMException("cancelled", "AbortError")) };
  });
  transfer.cancel();
  await assert.rejects(transfer.done, { name: "AbortError" });
});
