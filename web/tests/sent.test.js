import assert from "node:assert/strict";
import { test } from "node:test";
import { whole } from "../static/js/gap.js";
import { LIMITS } from "../static/js/limits.js";
import { Sent, due } from "../static/js/sent.js";

const [SHIFT, CONTROL, A] = [0xffe1, 0xffe3, 97];
const press = (/** @type {number} */ keysym) => /** @type {any} */ (["k", keysym, 1]);
const lift = (/** @type {number} */ keysym) => /** @type {any} */ (["k", keysym, 0]);
const NOTHING = { epoch: 1, kept: [], since: null, lost: 0 };

/** @param {any[]} typed */
function sentBy(typed) {
  const sent = new Sent();
  typed.forEach((one, at) => sent.push(at + 1, at, one));
  return sent;
}

test("what the guest took is not said again; modifiers that are down then are", () => {
  const sent = sentBy([press(SHIFT), press(A), lift(A), press(98), lift(98), lift(SHIFT)]);
  sent.acknowledged(1);
  const found = due({ ...NOTHING, ...sent.left() }, 3, 10);
  assert.deepEqual(found, { typed: [press(98), lift(98), lift(SHIFT)], held: [SHIFT], since: 3, lost: 0 });
  assert.deepEqual(whole(found.typed, found.held), [press(SHIFT), press(98), lift(98), lift(SHIFT)]);
});

test("half a word is worse than none: too old, or more than was kept, and nothing of it is said", () => {
  const word = [...Array(4)].map((_, at) => /** @type {any} */ (["t", `${at}`]));
  const left = { ...NOTHING, ...sentBy(word).left(), kept: word, since: 4 };
  assert.equal(due(left, 2, 2 + LIMITS.gap.keepMs).typed.length, 6);
  assert.deepEqual(due(left, 1, 2 + LIMITS.gap.keepMs), { typed: [], held: [], since: 1, lost: 7 });
  const many = [...Array(LIMITS.gap.most + 2)].map(() => /** @type {any} */ (["t", "x"]));
  const found = due({ ...NOTHING, ...sentBy(many).left() }, 1, LIMITS.gap.most);
  assert.deepEqual([found.typed, found.lost], [[], LIMITS.gap.most]);
  assert.equal(due({ ...NOTHING, ...sentBy(many).left() }, 2, LIMITS.gap.most).typed.length, LIMITS.gap.most);
});

test("a click is not said again where only the desktop knew the place", () => {
  const click = /** @type {any} */ (["b", 1, 2, 1, 1]);
  assert.equal(sentBy([["d", 0, 0], click]).left().sent.length, 0);
  assert.equal(sentBy([["d", 0, 0], ["m", 1, 2], click, ["w", 1, 2, 0, 1], ["s", 1, 2], ["h", []], ["r"]]).left().sent.length, 3);
});

test("whatever arrives and whatever is acknowledged: each stroke is typed, was taken, or is counted, and none twice", () => {
  let seed = 7;
  const random = (/** @type {number} */ most) => ((seed = (seed * 1103515245 + 12345) % 2 ** 31), seed % most);
  for (let round = 0; round < 1000; round++) {
    const sent = new Sent();
    const count = random(400);
    let acknowledged = 0;
    for (let seq = 1; seq <= count; seq++) {
      sent.push(seq, seq * 10, ["t", `${seq}`]);
      if (random(20) === 0) sent.acknowledged((acknowledged = seq));
    }
    const had = acknowledged + random(count - acknowledged + 1);
    const kept = [...Array(random(5))].map((_, at) => /** @type {any} */ (["t", `${count + at + 1}`]));
    const left = { ...NOTHING, ...sent.left(), kept, since: count * 10 };
    const known = random(4) > 0;
    const { typed, lost } = due(left, known ? had : null, count * 10 + random(2 * LIMITS.gap.keepMs));
    const numbers = typed.map(([, text]) => Number(text));
    const first = known ? had : count;
    assert.deepEqual(numbers, numbers.map((_, at) => first + 1 + at), "in order, from the first that did not arrive");
    if (known) assert.ok(typed.length + lost === count - had + kept.length || (had < left.from && !typed.length && lost > 0));
    else assert.ok(typed.length + lost === left.sent.length + kept.length);
  }
});

/** What a desktop feels of these: each key and button as it goes down, with the modifiers that are down then. @param {any[]} typed */
function felt(typed) {
  const down = new Set();
  return typed.flatMap(([tag, ...rest]) => {
    const [what, pressed] = tag === "b" ? [`button ${rest[2]}`, rest[3]] : rest;
    if (!pressed) down.delete(what);
    else if (what !== SHIFT && what !== CONTROL && !down.has(what)) {
      const found = [what, [SHIFT, CONTROL].filter((one) => down.has(one))];
      return down.add(what), [found];
    } else down.add(what);
    return [];
  });
}

test("wherever a connection breaks, the desktop feels what was typed as if it had not, and in the end nothing is down", () => {
  let seed = 11;
  const random = (/** @type {number} */ most) => ((seed = (seed * 1103515245 + 12345) % 2 ** 31), seed % most);
  const click = [["b", 1, 2, 1, 1], ["b", 1, 2, 1, 0]];
  for (let round = 0; round < 2000; round++) {
    /** @type {any[]} */
    const typed = [...Array(1 + random(8))].flatMap((_, at) => {
      const what = random(4) ? [press(A + at), lift(A + at)] : click;
      const modifier = [0, SHIFT, CONTROL][random(3)];
      return modifier ? [press(modifier), ...what, lift(modifier)] : what;
    });
    const out = random(typed.length + 1);
    const sent = sentBy(typed.slice(0, out));
    const acknowledged = random(out + 1);
    sent.acknowledged(acknowledged);
    const had = acknowledged + random(out - acknowledged + 1);
    const found = due({ ...NOTHING, ...sent.left(), kept: typed.slice(out), since: out }, had, 100);
    const again = whole(found.typed, found.held);
    assert.deepEqual([...felt(typed.slice(0, had)), ...felt(again)], felt(typed));
    const down = new Set();
    for (const [tag, ...rest] of again) {
      const [what, pressed] = tag === "b" ? [rest[2], rest[3]] : rest;
      if (pressed) down.add(what);
      else assert.ok(down.delete(what));
    }
    assert.equal(down.size, 0);
  }
});
