import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Ladder } from "../static/js/ladder.js";

describe("a guest that says that there is no picture newer than the one that was drawn", () => {
  /** Answers each 400 ms from `from` to `to`; what was done but for pings. */
  const answers = (ladder, from, to, rests) => {
    const did = [];
    for (let now = from; now < to; now += 200) {
      const events = [{ type: "tick" }, ...(now % 400 ? [] : [{ type: "heard", pong: true, sent: false, rests }])];
      for (const event of events) did.push(...ladder.handle(/** @type {any} */ ({ epoch: 1, now, ...event })).map((one) => [one.do, now]));
    }
    return did.filter(([what]) => what !== "ping");
  };
  const live = () => {
    const ladder = new Ladder(() => 1);
    for (const event of [{ type: "ready" }, { type: "picture", epoch: 1, relay: false }]) ladder.handle(/** @type {any} */ ({ now: 0, ...event }));
    return ladder;
  };

  test("is believed: nothing is asked for nor tried, for hours", () => {
    const ladder = live();
    assert.deepEqual(answers(ladder, 200, 7_200_000, true), []);
    assert.equal(ladder.lost, false);
  });

  test("and then no more: a key frame is asked for, and noVNC is prepared in 5 s", () => {
    const ladder = live();
    answers(ladder, 200, 60_000, true);
    const did = answers(ladder, 60_000, 65_000, false);
    const at = (what) => did.find(([one]) => one === what)?.[1] - 60_000;
    assert.ok(at("nudge") <= 3000, `${did}`);
    assert.ok(at("open-peer") <= 4500 && at("open-vnc") <= 4500, `${did}`);
  });

  test("is cut off as any other", () => {
    const ladder = live();
    answers(ladder, 200, 60_000, true);
    const did = [];
    for (let now = 60_000; now < 62_000; now += 50) did.push(...ladder.handle(/** @type {any} */ ({ type: "tick", now })).map((one) => one.do));
    assert.ok(did.includes("open-peer") && did.includes("open-vnc"), `${did}`);
  });
});
