import assert from "node:assert/strict";
import { test } from "node:test";
import { Microphone } from "../static/js/microphone.js";

/** A track as far as it matters here: it lives until it is stopped, or its device is taken away. */
class Track extends EventTarget {
  lives = true;

  stop() {
    this.lives = false;
  }

  unplug() {
    if (!this.lives) return;
    this.lives = false;
    this.dispatchEvent(new Event("ended"));
  }
}

/** A microphone whose questions are answered when the test says so, and every track that it was ever given. */
function bench() {
  /** @type {{ resolve: (track: any) => void, reject: (error: Error) => void }[]} */
  const questions = [];
  /** @type {Track[]} */
  const tracks = [];
  /** @type {string[]} */
  const states = [];
  const ask = () => new Promise((resolve, reject) => questions.push({ resolve, reject }));
  const microphone = new Microphone(ask, () => states.push(microphone.state));
  const grant = (/** @type {typeof questions[0] | undefined} */ question) => {
    if (!question) return;
    tracks.push(new Track());
    question.resolve(tracks.at(-1));
  };
  const deeds = {
    click: () => microphone.toggle(),
    "the first is granted": () => grant(questions.shift()),
    "the last is granted": () => grant(questions.pop()),
    "the first is refused": () => questions.shift()?.reject(new Error("NotAllowedError")),
    "none is there": () => questions.shift()?.resolve(null),
    "another rung, seat or page": () => microphone.shut(),
    "the first is unplugged": () => tracks.find(({ lives }) => lives)?.unplug(),
  };
  return { microphone, questions, tracks, states, grant, deeds };
}

const settled = () => new Promise((done) => setImmediate(done));

/** @param {string[]} names @param {number} length @returns {string[][]} */
function orders(names, length) {
  return length ? orders(names, length - 1).flatMap((order) => names.map((name) => [...order, name])) : [[]];
}

test("two clicks before the answer leave no track, in whatever order the questions are answered", async () => {
  const { microphone, tracks, deeds } = bench();
  for (const _ of [1, 2, 3]) deeds.click();
  deeds["the last is granted"]();
  await settled();
  assert.equal(microphone.state, "open");
  deeds["the first is granted"]();
  await settled();
  assert.deepEqual(tracks.map(({ lives }) => lives), [true, false]);
  deeds.click();
  assert.ok(tracks.every(({ lives }) => !lives));
  assert.equal(microphone.state, "shut");
});

test("in no order of clicks, answers, refusals and ways to shut it lives a track that the button does not stand for", async () => {
  const all = orders(Object.keys(bench().deeds), 5);
  const gone = all.map((order) => ({ order, ...bench() }));
  for (let step = 0; step < 5; step += 1) {
    for (const { order, deeds } of gone) deeds[/** @type {keyof typeof deeds} */ (order[step])]();
    await settled();
    for (const { order, microphone, tracks, states } of gone) {
      const living = tracks.filter(({ lives }) => lives);
      assert.deepEqual(living, microphone.state === "open" ? [microphone.track] : [], order.slice(0, step + 1).join(", "));
      assert.equal(states.at(-1) ?? "shut", microphone.state, "the button was told");
    }
  }
  for (const { microphone, questions, grant } of gone) {
    microphone.shut();
    for (const question of questions) grant(question);
  }
  await settled();
  assert.ok(gone.every(({ tracks, microphone }) => microphone.track === null && tracks.every(({ lives }) => !lives)));
});

test("a refusal is said until it is tried again", async () => {
  const { microphone, deeds, states } = bench();
  deeds.click();
  deeds["the first is refused"]();
  await settled();
  microphone.shut();
  assert.equal(microphone.state, "refused");
  deeds.click();
  deeds["the first is granted"]();
  await settled();
  assert.deepEqual(states, ["asked", "refused", "asked", "open"]);
});
