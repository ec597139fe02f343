import assert from "node:assert/strict";
import { test } from "node:test";
import { Gap, keysAlone, whole } from "../static/js/gap.js";
import { LIMITS } from "../static/js/limits.js";
import { modifiersAfter } from "../static/js/sent.js";

const A = 97;
const press = (keysym) => ["k", keysym, 1];
const lift = (keysym) => ["k", keysym, 0];

test("what is typed in a short gap comes out once, in order", () => {
  const gap = new Gap();
  const typed = [press(A), lift(A), ["t", "é"], press(98)];
  typed.forEach((one, at) => gap.keep(at, /** @type {any} */ (one)));
  assert.deepEqual(gap.end(LIMITS.gap.keepMs), { kept: typed, since: 0, lost: 0, dropped: false });
  assert.deepEqual(gap.end(LIMITS.gap.keepMs), { kept: [], since: null, lost: 0, dropped: false });
});

test("a gap that lasts drops all of it, and says how much", () => {
  const gap = new Gap();
  gap.keep(0, ["k", A, 1]);
  gap.keep(10, ["k", A, 0]);
  assert.deepEqual(gap.end(LIMITS.gap.keepMs + 1), { kept: [], since: 0, lost: 1, dropped: true });
  gap.keep(10_000, ["k", A, 1]);
  gap.keep(10_000 + LIMITS.gap.keepMs + 1, ["t", "b"]);
  gap.keep(10_000 + LIMITS.gap.keepMs + 2, ["t", "c"]);
  assert.deepEqual(gap.end(10_000 + LIMITS.gap.keepMs + 3), { kept: [], since: 10_000, lost: 3, dropped: true });
});

test("releases that were dropped are told of, though no stroke was", () => {
  const gap = new Gap();
  gap.keep(0, /** @type {any} */ (lift(A)));
  assert.deepEqual(gap.end(LIMITS.gap.keepMs + 1), { kept: [], since: 0, lost: 0, dropped: true });
  gap.keep(10_000, /** @type {any} */ (lift(A)));
  gap.keep(10_000 + LIMITS.gap.keepMs + 1, /** @type {any} */ (lift(98)));
  gap.keep(10_000 + LIMITS.gap.keepMs + 2, /** @type {any} */ (press(98)));
  assert.deepEqual(gap.end(10_000 + LIMITS.gap.keepMs + 3), { kept: [], since: 10_000, lost: 1, dropped: true });
});

test("more than fits drops all of it, not the rest alone", () => {
  const gap = new Gap();
  for (let i = 0; i <= LIMITS.gap.most; i++) gap.keep(i, ["t", "x"]);
  gap.keep(LIMITS.gap.most + 1, ["t", "y"]);
  assert.deepEqual(gap.end(LIMITS.gap.most + 2), { kept: [], since: 0, lost: LIMITS.gap.most + 2, dropped: true });
});

test("a new rung is left with no key down, and is told of none that it does not know", () => {
  assert.deepEqual(whole(/** @type {any} */ ([lift(65), press(A), lift(A), press(98)])), [press(A), lift(A), press(98), lift(98)]);
  assert.deepEqual(whole([]), []);
  assert.deepEqual(whole(/** @type {any} */ ([press(A), ["r"], press(98), lift(98)])), [press(A), lift(A), press(98), lift(98)]);
});

test("a key pressed with a modifier that went down before the gap is pressed with it on a new rung", () => {
  const [control, shift, caps, altgr] = [0xffe3, 0xffe1, 0xffe5, 0xfe03];
  const played = (/** @type {any[]} */ before, /** @type {any[]} */ kept) => whole(kept, [...modifiersAfter([], before)]);
  const tap = (keysym) => [press(keysym), lift(keysym)];
  assert.deepEqual(played([press(control)], tap(A)), [press(control), ...tap(A), lift(control)]);
  const copied = [...tap(A), lift(control), ...tap(98)];
  assert.deepEqual(played([press(control)], copied), [press(control), ...copied], "it goes up when it went up");
  assert.deepEqual(played([press(control)], [press(shift), ...tap(A)]), [press(shift), press(control), ...tap(A), lift(shift), lift(control)]);
  assert.deepEqual(played([press(altgr)], [lift(altgr), ...tap(A)]), tap(A), "up before the key");
  assert.deepEqual(played([press(control)], [lift(control)]), [], "no key: no tap of it");
  assert.deepEqual(played([press(control)], [["t", "é"]]), [["t", "é"]]);
  assert.deepEqual(played([press(control)], [["r"], ...tap(A)]), tap(A));
  assert.deepEqual(played([press(control), lift(control)], tap(A)), tap(A));
  assert.deepEqual(played([press(control), ["r"]], tap(A)), tap(A));
  assert.deepEqual(played([press(caps), press(98)], tap(A)), tap(A), "what locks would lock anew");
});

test("clicks and wheel come in their place, with their modifiers, and no button stays down", () => {
  const [control, at] = [0xffe3, (button, down, x = 5) => ["b", x, 6, button, down]];
  const play = (/** @type {any} */ kept, held = [control]) => whole(kept, held);
  const click = [at(1, 1), at(1, 0)];
  assert.deepEqual(play([...click, lift(control)]), [press(control), ...click, lift(control)]);
  assert.deepEqual(play([["w", 5, 6, 0, 1]]), [press(control), ["w", 5, 6, 0, 1], lift(control)]);
  assert.deepEqual(play([press(A), at(1, 0), lift(A)], []), [press(A), lift(A)], "a drag that began before is over");
  assert.deepEqual(play([press(A), at(3, 1), lift(A)], []), [press(A), at(3, 1), lift(A), at(3, 0)]);
  assert.deepEqual(play([at(1, 1), ["r"], at(1, 0, 9)], []), [at(1, 1), at(1, 0)]);
  assert.deepEqual(play([at(1, 1, 1), at(1, 0, 9)], []), [at(1, 1, 1), at(1, 0, 9)], "a drag goes where it went");
});

test("a rung that takes keys alone is given those before the first click; of the others it is said how many", () => {
  const kept = (/** @type {any} */ ...typed) => keysAlone(typed);
  assert.deepEqual(kept(press(A), ["b", 1, 1, 1, 0], ["w", 1, 1, 0, 1], lift(A)), { keys: [press(A), lift(A)], lost: 0 });
  const click = [["b", 1, 1, 1, 1], ["b", 1, 1, 1, 0]];
  assert.deepEqual(kept(press(A), lift(A), ...click, press(98), lift(98), ["t", "c"]), { keys: [press(A), lift(A)], lost: 2 });
});

test("whatever is typed: each stroke is kept or counted, never both, and never twice", () => {
  let seed = 5;
  const random = (most) => ((seed = (seed * 1103515245 + 12345) % 2 ** 31), seed % most);
  for (let round = 0; round < 500; round++) {
    const gap = new Gap();
    let now = 0;
    const count = random(90);
    for (let i = 0; i < count; i++) gap.keep((now += random(60)), ["t", `${i}`]);
    const { kept, lost } = gap.end((now += random(500)));
    assert.equal(kept.length + lost, count);
    assert.ok(kept.length === 0 || lost === 0);
    assert.deepEqual(kept.map(([, text]) => text), kept.map((_, at) => `${at}`));
  }
});
