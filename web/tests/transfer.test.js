import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../static/js/api.js";
import { plainName, underFreeName } from "../static/js/transfer.js";

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
