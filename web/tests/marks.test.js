import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Marks } from "../static/js/marks.js";

const mark = (seq, rtp, ...parts) => ["mark", seq, rtp, ...(parts.length ? parts : [1, 2, 3])];

describe("marks", () => {
  test("from the input to the frame that shows it", () => {
    const marks = new Marks();
    marks.sent(1, 100);
    marks.drawn(8500, 99);
    marks.drawn(9000, 120);
    marks.marked(mark(1, 9000));
    assert.deepEqual(marks.latest(), { ms: 20, act_ms: 1, grab_ms: 2, send_ms: 3, rest_ms: 14 });
  });

  test("what a mark says of the parts of a part is for others", () => {
    const marks = new Marks();
    marks.sent(1, 100);
    marks.drawn(9000, 120);
    marks.marked(mark(1, 9000, 1, 2, 3, 0.2, 1, "x"));
    assert.deepEqual(marks.latest(), { ms: 20, act_ms: 1, grab_ms: 2, send_ms: 3, rest_ms: 14 });
  });

  test("a mark may come before its frame, and a frame that was skipped is shown by the next", () => {
    const marks = new Marks();
    marks.sent(1, 100);
    marks.marked(mark(1, 9000));
    marks.drawn(8000, 110);
    assert.equal(marks.latest(), null);
    marks.drawn(10_500, 140);
    assert.equal(marks.latest()?.ms, 40);
  });

  test("timestamps wrap", () => {
    const marks = new Marks();
    marks.sent(1, 0);
    marks.drawn(2 ** 32 - 3000, 5);
    marks.marked(mark(1, 10));
    assert.equal(marks.latest(), null);
    marks.drawn(10, 15);
    assert.equal(marks.latest()?.ms, 15);
  });

  test("the middle of the last ten", () => {
    const marks = new Marks();
    for (let seq = 1; seq <= 30; seq++) {
      marks.sent(seq, seq * 1000);
      marks.drawn(seq * 90_000, seq * 1000 + seq);
      marks.marked(mark(seq, seq * 90_000));
    }
    assert.equal(marks.latest()?.ms, 25);
  });

  test("what a guest makes up counts for nothing", () => {
    const marks = new Marks();
    marks.sent(1, 100);
    marks.drawn(9000, 120);
    const bad = [
      ["mark"], mark(2, 9000), mark("1", 9000), mark(1, "9000"), mark(1, -1), mark(1, 2 ** 32), mark(1, NaN),
      mark(1, 9000, 1, 2), mark(1, 9000, 1, 2, "3"), mark(1, 9000, 1, 2, -3), mark(1, 9000, 1, 2, 1e9),
    ];
    for (const one of bad) marks.marked(one);
    assert.equal(marks.latest(), null);
    marks.marked(mark(1, 9000));
    marks.marked(mark(1, 9000));
    assert.equal(marks.latest()?.ms, 20);
  });

  test("nothing grows without end", () => {
    const marks = new Marks();
    for (let seq = 1; seq <= 5000; seq++) {
      marks.sent(seq, seq);
      marks.marked(mark(seq, 2 ** 31));
      marks.drawn(seq, seq);
    }
    marks.sent(5001, 6000);
    marks.drawn(2 ** 31, 6001);
    assert.ok((marks.latest()?.ms ?? 0) < 1020, "only the last few were remembered");
  });
});
