import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Held } from "../static/js/held.js";
import { TEXT_LIMIT, isComposing, isKeysym, keysymsOf, pieces, textOfKey } from "../static/js/keysyms.js";

describe("keysyms of text", () => {
  const table = [
    ["a", [0x61]],
    ["A", [0x41]],
    ["ä", [0xe4]],
    ["ß", [0xdf]],
    ["é", [0xe9]],
    ["€", [0x20ac]],
    ["Ж", [0x6f6]],
    ["ж", [0x6d6]],
    ["あ", [0x1003042]],
    ["漢", [0x1006f22]],
    ["😀", [0x101f600]],
    ["a\nb", [0x61, 0xff0d, 0x62]],
    ["a\r\nb", [0x61, 0xff0d, 0x62]],
    ["\t", [0xff09]],
    ["", []],
  ];
  for (const [text, wanted] of table) {
    test(JSON.stringify(text), () => assert.deepEqual(keysymsOf(/** @type {string} */ (text)), wanted));
  }
});

test("what counts as a keysym", () => {
  for (const good of [0x61, 0xff0d, 0x1000000 + 0x1f600, 0x0110ffff]) assert.ok(isKeysym(good));
  for (const bad of [0, -1, 1.5, 0x01110000, NaN, null, undefined, "a"]) assert.ok(!isKeysym(bad));
});

describe("pieces of a long text", () => {
  test("none is longer than a message may be, and together they are the text", () => {
    const text = "ab😀c".repeat(900);
    const cut = pieces(text);
    assert.ok(cut.every((piece) => [...piece].length <= TEXT_LIMIT));
    assert.equal(cut.join(""), text);
  });

  test("no surrogate pair is cut", () => {
    const cut = pieces("😀".repeat(TEXT_LIMIT + 1));
    assert.equal(cut.length, 2);
    assert.equal(cut[1], "😀");
  });

  test("nothing gives nothing", () => assert.deepEqual(pieces(""), []));
});

test("what an input method works on", () => {
  assert.ok(isComposing({ isComposing: true, key: "a" }));
  assert.ok(isComposing({ key: "Process" }));
  assert.ok(isComposing({ key: "Dead" }));
  assert.ok(isComposing({ key: "a", keyCode: 229 }));
  assert.ok(!isComposing({ key: "a", keyCode: 65 }));
});

test("an emoji key is text, a named key is not", () => {
  assert.equal(textOfKey("😀"), "😀");
  for (const key of ["a", "Enter", "ArrowLeft", "ä"]) assert.equal(textOfKey(key), null);
});

describe("held keys", () => {
  test("a key is held from down to up", () => {
    const held = new Held();
    assert.equal(held.down("KeyA", 0x61), 0x61);
    assert.deepEqual(held.keysyms(), [0x61]);
    assert.deepEqual([held.keysym("KeyA"), held.keysym("KeyB")], [0x61, null]);
    assert.equal(held.up("KeyA"), 0x61);
    assert.deepEqual(held.keysyms(), []);
  });

  test("a repeat keeps the keysym of the first press: Shift let go first must not leave the capital down", () => {
    const held = new Held();
    held.down("ShiftLeft", 0xffe1);
    assert.equal(held.down("KeyA", 0x41), 0x41);
    held.up("ShiftLeft");
    assert.equal(held.down("KeyA", 0x61), 0x41);
    assert.equal(held.up("KeyA"), 0x41);
  });

  test("a release without a press is nothing", () => assert.equal(new Held().up("KeyA"), null));

  test("two keys with one keysym: the last one up releases it", () => {
    const held = new Held();
    held.down("Enter", 0xff0d);
    held.down("NumpadEnter", 0xff0d);
    assert.deepEqual(held.keysyms(), [0xff0d]);
    assert.equal(held.up("Enter"), null);
    assert.equal(held.up("NumpadEnter"), 0xff0d);
  });

  test("a button that is down is told of each second like a key, and is no keysym", () => {
    const held = new Held();
    held.button(1, true);
    assert.ok(held.any);
    assert.deepEqual(held.keysyms(), []);
    held.button(1, false);
    assert.ok(!held.any);
    held.button(3, true);
    assert.equal(held.clear(), true);
    assert.ok(!held.any);
  });

  test("clear says whether anything was down", () => {
    const held = new Held();
    assert.equal(held.clear(), false);
    held.down("KeyA", 0x61);
    assert.equal(held.clear(), true);
    assert.equal(held.up("KeyA"), null);
  });
});
