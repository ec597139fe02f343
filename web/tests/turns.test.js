import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns, oneAtATime } from "../static/js/turns.js";

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Things that begin and end when they are told. */
function things() {
  const begun = /** @type {string[]} */ ([]);
  const ends = /** @type {Record<string, { resolve: (value?: unknown) => void, reject: (error: Error) => void }>} */ ({});
  /** @param {string} name */
  const thing = (name) => () => {
    begun.push(name);
    return new Promise((resolve, reject) => (ends[name] = { resolve, reject }));
  };
  return { begun, ends, thing };
}

test("so many go at once, in order, whatever becomes of those before", async () => {
  const { begun, ends, thing } = things();
  const turns = new Turns(2);
  for (const name of ["a", "b", "c", "d"]) turns.add(thing(name));
  assert.deepEqual(begun, ["a", "b"]);
  ends["b"]?.reject(new Error("broke"));
  await settle();
  assert.deepEqual(begun, ["a", "b", "c"]);
  ends["a"]?.resolve();
  ends["c"]?.resolve();
  await settle();
  assert.deepEqual(begun, ["a", "b", "c", "d"]);
});

test("what is dropped before its turn never begins, and holds up nothing", async () => {
  const { begun, ends, thing } = things();
  const turns = new Turns(1);
  const second = thing("b");
  turns.add(thing("a"));
  turns.add(second);
  turns.add(thing("c"));
  turns.drop(second);
  ends["a"]?.resolve();
  await settle();
  assert.deepEqual(begun, ["a", "c"]);
});

test("however many go, no more are under way than may be, and all of them end", async () => {
  const turns = new Turns(3);
  let busy = 0;
  let most = 0;
  let ended = 0;
  for (let number = 0; number < 200; number += 1) {
    turns.add(async () => {
      most = Math.max(most, (busy += 1));
      for (let steps = number % 5; steps; steps -= 1) await settle();
      busy -= 1;
      ended += 1;
      if (number % 7 === 0) throw new Error("broke");
    });
  }
  while (ended < 200) await settle();
  assert.deepEqual([most, busy], [3, 0]);
});

test("forty that ask while one looks get one look more between them, which began after they asked", async () => {
  const ends = /** @type {(() => void)[]} */ ([]);
  const ask = oneAtATime(() => new Promise((resolve) => void ends.push(resolve)));
  let first = false;
  let others = 0;
  void ask().then(() => (first = true));
  for (let number = 0; number < 40; number += 1) void ask().then(() => (others += 1));
  await settle();
  assert.equal(ends.length, 1);
  ends[0]?.();
  await settle();
  assert.deepEqual([ends.length, first, others], [2, true, 0]);
  ends[1]?.();
  await settle();
  assert.deepEqual([ends.length, others], [2, 40]);
  void ask();
  assert.equal(ends.length, 3);
});
