import assert from "node:assert/strict";
import { Ladder } from "../static/js/ladder.js";

/** A trace of the ladder: `at(ms)` sets the clock, each event answers its commands in short form. */
export class Trace {
  now = 0;
  ladder = new Ladder(() => 1);

  /** @param {string} type @param {object} [rest] */
  say(type, rest = {}) {
    const commands = this.ladder.handle(/** @type {any} */ ({ type, now: this.now, ...rest }));
    // Pings are asserted in pulse.test.js.
    return commands.filter((command) => !["ping", "ping-vnc", "nudge"].includes(command.do)).map(short);
  }

  at(ms) {
    this.now = ms;
    return this;
  }

  /** Tick every half second up to `ms`, with frames of `epoch` if given; all commands on the way. */
  until(ms, { frames } = {}) {
    const out = [];
    while (this.now + 500 <= ms) {
      this.now += 500;
      if (frames) out.push(...this.say("frame", { epoch: frames }));
      out.push(...this.say("tick"));
    }
    this.now = ms;
    return out;
  }

  /** Ready at 0, connected and drawn at 200 ms. */
  live() {
    assert.deepEqual(this.say("ready"), ["open-peer 1"]);
    this.at(200);
    this.say("connection", { epoch: 1, state: "connected" });
    assert.deepEqual(this.say("picture", { epoch: 1, relay: false }), ["show-peer 1"]);
    return this;
  }

  /** On noVNC, because the first try was refused at 100 ms. */
  fallen() {
    this.say("ready");
    this.at(100);
    assert.deepEqual(this.say("refused", { epoch: 1 }), ["close-peer 1", "open-vnc 1"]);
    this.at(300);
    assert.deepEqual(this.say("vnc-picture", { vnc: 1 }), ["show-vnc 1"]);
    return this;
  }
}

const short = (command) => `${command.do} ${command.epoch ?? command.vnc}`;
