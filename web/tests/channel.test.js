import assert from "node:assert/strict";
import { beforeEach, describe, mock, test } from "node:test";
import { ChannelSocket } from "../static/js/channel_socket.js";
import { ClipOrder } from "../static/js/clip_order.js";

globalThis.WebSocket ??= /** @type {any} */ ({ OPEN: 1 });

/** A WebSocket that is opened and closed by the test. */
class Line extends EventTarget {
  readyState = 0;
  bufferedAmount = 0;
  binaryType = "";
  /** @type {unknown[]} */
  sent = [];
  send(/** @type {unknown} */ data) {
    this.sent.push(data);
  }
  up() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }
  hear(/** @type {unknown} */ data) {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
  close(code = 1000) {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }
}

describe("noVNC's channel", () => {
  /** @type {Line[]} */
  let lines;
  /** @type {ChannelSocket} */
  let channel;

  beforeEach(() => {
    lines = [];
    channel = new ChannelSocket(() => /** @type {any} */ (lines[lines.push(new Line()) - 1]), new ClipOrder());
  });

  test("keys and clipboard go by it while it is open", async () => {
    assert.ok(!channel.say("k", 97, 1), "by RFB until then");
    channel.open();
    channel.open();
    assert.equal(lines.length, 1);
    const [line] = lines;
    assert.ok(!channel.say("k", 97, 1));
    line.up();
    line.hear('["may",1,1,100,0]');
    assert.ok(channel.say("k", 97, 1));
    const pushed = channel.clip.push({ type: "text/plain", data: new Uint8Array([104, 105]) });
    line.hear('["got",1]');
    assert.equal(await pushed, "got");
    assert.deepEqual(line.sent.slice(0, 2), ['["k",1,97,1]', '["put",1,"text/plain",2,0]']);
    line.close(4503);
    assert.ok(!channel.say("k", 97, 0));
    assert.ok(!channel.clip.may.up, "nothing goes while it is away");
  });

  test("what the guest took is told, of it and of an earlier connection, and nothing that looks like it", () => {
    /** @type {unknown[]} */
    const told = [];
    channel.hear({
      open: () => told.push("open"),
      gone: () => told.push("gone"),
      is: (number) => told.push(`is ${number}`),
      heard: (up) => told.push(up),
      took: (seq) => told.push(`took ${seq}`),
      had: (...what) => told.push(what),
    });
    channel.open();
    lines[0].up();
    assert.ok(channel.ready && channel.say("o", 3));
    for (const said of ['["had", 3, 17]', '["had",3,-1]', '["had",3]', '["had",3,1e9]', '["had",3,1],', "x"]) lines[0].hear(said);
    for (const said of ['["is", 1073741824]', '["is",-1]', '["p", 4]', '["p","4"]', '["p",4]]']) lines[0].hear(said);
    lines[0].close(4503);
    assert.deepEqual(told, ["open", [3, 17], [3, -1], "is 1073741824", "took 4", true, "gone", false]);
    assert.deepEqual(lines[0].sent, ['["o",1,3]']);
  });

  test("it comes back, unless it is closed or there is nothing to come back to", () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      channel.open();
      lines[0].close(4503);
      mock.timers.tick(2000);
      assert.equal(lines.length, 2);
      lines[1].close(4410);
      mock.timers.tick(60_000);
      assert.equal(lines.length, 2);
      channel.open();
      channel.close();
      lines[2].close(4503);
      mock.timers.tick(60_000);
      channel.open();
      assert.equal(lines.length, 3);
    } finally {
      mock.timers.reset();
    }
  });
});
