import assert from "node:assert/strict";
import { test } from "node:test";
import { Listeners } from "../static/js/listeners.js";

test("all who asked hear it, until they end it", () => {
  const listeners = new Listeners();
  const heard = [];
  const end = listeners.on("message", (what) => heard.push(["a", what]));
  listeners.on("message", (what) => heard.push(["b", what]));
  listeners.on("changed", () => heard.push("never"));
  listeners.tell("message", 1);
  end();
  listeners.tell("message", 2);
  assert.deepEqual(heard, [["a", 1], ["b", 1], ["b", 2]]);
});

test("one that throws does not keep it from the others", (t) => {
  const listeners = new Listeners();
  const said = t.mock.method(console, "error", () => {});
  const heard = [];
  listeners.on("rung", () => {
    throw new Error("broken");
  });
  listeners.on("rung", (rung) => heard.push(rung));
  listeners.tell("rung", "vnc");
  assert.deepEqual(heard, ["vnc"]);
  assert.equal(said.mock.callCount(), 1);
});
