import assert from "node:assert/strict";
import { test } from "node:test";
import { Commands } from "../static/js/commands.js";

/** @import { LadderCommand } from "../types/model" */

/** A rung that writes down what is asked of it. @param {string[]} told @param {string} name */
function rung(told, name, element = /** @type {unknown} */ ({})) {
  return { element, ping: () => told.push(`${name} ping`), send: (/** @type {string} */ tag) => told.push(`${name} send ${tag}`) };
}

/** Commands over peer 1 and noVNC 2, the first of them on the screen. */
function bench({ drawn = true } = {}) {
  /** @type {string[]} */
  const told = [];
  const peer = rung(told, "peer", drawn ? {} : null);
  const vnc = rung(told, "vnc");
  /** @type {unknown} */
  let shown = peer;
  const rungs = {
    peer: (/** @type {number} */ epoch) => (epoch === 1 ? peer : undefined),
    vnc: (/** @type {number} */ key) => (key === 2 ? vnc : undefined),
    openPeer: (/** @type {number} */ epoch, /** @type {boolean} */ direct) => told.push(`open peer ${epoch} ${direct}`),
    openVnc: (/** @type {number} */ key) => told.push(`open vnc ${key}`),
    probe: (/** @type {string} */ name, /** @type {number} */ epoch) => told.push(`probe ${name} ${epoch}`),
    closePeer: (/** @type {number} */ epoch) => (epoch === 1 ? peer : undefined),
    closeVnc: (/** @type {number} */ key) => (key === 2 ? vnc : undefined),
  };
  const screen = {
    show: (/** @type {unknown} */ next) => {
      const other = next !== shown;
      shown = next;
      return other;
    },
    gone: (/** @type {unknown} */ closed) => closed !== undefined && closed === shown,
  };
  const commands = new Commands({ peer: "ada" }, /** @type {any} */ (rungs), /** @type {any} */ (screen), {
    shown: (other) => told.push(`shown ${other}`),
    gone: () => told.push("gone"),
  });
  return { told, obey: (/** @type {LadderCommand} */ command) => commands.obey(command) };
}

test("each command goes to its rung", () => {
  const { told, obey } = bench();
  obey({ do: "open-peer", epoch: 3, direct: true });
  obey({ do: "ping", epoch: 1 });
  obey({ do: "nudge", epoch: 1 });
  obey({ do: "probe", epoch: 4 });
  obey({ do: "open-vnc", vnc: 5 });
  obey({ do: "ping-vnc", vnc: 2 });
  assert.deepEqual(told, ["open peer 3 true", "peer ping", "peer send i", "probe ada-look 4", "open vnc 5", "vnc ping"]);
});

test("a command for a rung that is gone does nothing", () => {
  const { told, obey } = bench();
  obey({ do: "ping", epoch: 9 });
  obey({ do: "nudge", epoch: 9 });
  obey({ do: "ping-vnc", vnc: 9 });
  obey({ do: "show-peer", epoch: 9 });
  obey({ do: "show-vnc", vnc: 9 });
  obey({ do: "close-peer", epoch: 9 });
  obey({ do: "close-vnc", vnc: 9 });
  assert.deepEqual(told, []);
});

test("a rung is shown once it has drawn", () => {
  const { told, obey } = bench({ drawn: false });
  obey({ do: "show-peer", epoch: 1 });
  assert.deepEqual(told, []);
  obey({ do: "show-vnc", vnc: 2 });
  obey({ do: "show-vnc", vnc: 2 });
  assert.deepEqual(told, ["shown true", "shown false"]);
});

test("only the rung on the screen leaves it empty", () => {
  const { told, obey } = bench();
  obey({ do: "close-vnc", vnc: 2 });
  assert.deepEqual(told, []);
  obey({ do: "close-peer", epoch: 1 });
  assert.deepEqual(told, ["gone"]);
});
