import assert from "node:assert/strict";
import { test } from "node:test";
import { plainName } from "../static/js/transfer.js";

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
