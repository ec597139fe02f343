import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Brush, Ways } from "../static/js/brush.js";

const [WIDTH, HEIGHT] = [64, 32];

/** Feed both ways with what they cost. */
function settled(draw, copy) {
  const ways = new Ways();
  for (let frame = 0; frame < 16; frame++) ways.took(ways.next, ways.next === "draw" ? draw : copy);
  return ways;
}

describe("ways", () => {
  test("the first frame is drawn, and both are tried in turns", () => {
    const ways = new Ways();
    const tried = Array.from({ length: 4 }, () => {
      const way = ways.next;
      ways.took(way, 1);
      return way;
    });
    assert.deepEqual(tried, ["draw", "copy", "draw", "copy"]);
  });

  test("the cheaper one is taken, and drawing where there is little between them", () => {
    assert.equal(settled(4.8, 1.4).next, "copy");
    assert.equal(settled(0.2, 1.4).next, "draw");
    assert.equal(settled(1.5, 1.4).next, "draw");
  });

  test("what was chosen stays", () => {
    const ways = settled(4.8, 1.4);
    for (let frame = 0; frame < 50; frame++) ways.took("copy", 100);
    assert.equal(ways.next, "copy");
  });
});

globalThis.ImageData ??= class {
  constructor(width, height) {
    Object.assign(this, { width, height, data: new Uint8ClampedArray(4 * width * height) });
  }
};

/** A canvas that says what was done to it, and a brush on it that always wants to copy. */
function brushed() {
  const done = [];
  const context = { drawImage: () => done.push("draw"), putImageData: ({ data }) => done.push(`put ${data[0]}`) };
  const canvas = { width: 0, height: 0, getContext: () => context };
  return { done, canvas, brush: new Brush(canvas, settled(4, 1)) };
}

const picture = (more = {}) => ({
  format: "I420",
  displayWidth: WIDTH,
  displayHeight: HEIGHT,
  visibleRect: { width: WIDTH, height: HEIGHT },
  allocationSize: ({ format }) => (format === "RGBA" ? 4 : 1.5) * WIDTH * HEIGHT,
  copyTo: async (target) => void target.fill(7),
  ...more,
});

describe("brush", () => {
  test("a frame in memory is copied, and the canvas has its size", async () => {
    const { brush, canvas, done } = brushed();
    assert.ok((await brush.paint(picture())) >= 0);
    assert.deepEqual(done, ["put 7"]);
    assert.deepEqual([canvas.width, canvas.height], [WIDTH, HEIGHT]);
  });

  for (const [what, more] of Object.entries({
    "a frame of a GPU": { format: null },
    "a browser that converts nothing": { allocationSize: () => 1.5 * WIDTH * HEIGHT },
    "pixels that are not square": { displayWidth: 2 * WIDTH },
    "a copy that fails": { copyTo: () => Promise.reject(new Error("gone")) },
  }))
    test(`${what}: it is drawn, now and from now on`, async () => {
      const { brush, done } = brushed();
      await brush.paint(picture(more));
      await brush.paint(picture());
      assert.deepEqual(done, ["draw", "draw"]);
    });
});
