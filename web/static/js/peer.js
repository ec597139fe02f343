import { Clip } from "./clip.js";
import { Gap, whole } from "./gap.js";
import { Heir } from "./heir.js";
import { LIMITS } from "./limits.js";
import { takeLine } from "./line.js";
import { Sent, followed } from "./sent.js";
import { readReport } from "./statistics.js";

/** @import { ClipOrder } from "./clip_order.js" */
/** @import { Typed } from "./gap.js" */
/** @import { Left } from "./sent.js" */

const MESSAGE_LIMIT = 64 * 1024;
/** A mouse move is dropped while this much waits: the next one says more. Bytes. */
const MOTION_QUEUE = 2048;
/** A repeat of a held key is dropped while this much waits: a burst of them would come when nobody holds it any more. Bytes. */
const REPEAT_QUEUE = 512;
/** What must not overtake keys that wait. */
const BEHIND = ["r", "b", "w"];
/** What waits until it is known how much the connection before this one brought. */
const HEIRS = ["k", "t", ...BEHIND];

/**
 * @typedef {object} PeerEvents
 * @property {(sdp: string) => void} offer
 * @property {(state: RTCPeerConnectionState) => void} connection
 * @property {(stream: MediaStream) => void} stream the picture
 * @property {(stream: MediaStream) => void} sound
 * @property {(message: unknown[]) => void} message from the guest
 * @property {() => void} open the control channel is open
 * @property {(seq: number) => void} [sent] input with this number is on its way
 * @property {(count: number) => void} dropped so many key presses and texts are given up: kept for too long, or nobody knows
 */

/** One try at a peer connection to the guest's stream server: one epoch. */
export class Peer {
  #connection;
  #control;
  #motion;
  #audio;
  #offer;
  /** The offer is the connection's own. @type {Promise<void> | undefined} */
  #described;
  #clip;
  #on;
  #seq = 0;
  #gap = new Gap();
  #sent = new Sent();
  #heir;
  /** When what is said was typed, where that is not now. @type {number | null} */
  #typedAt = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} until the guest is asked for an acknowledgement */
  #asking;
  #holds = false;
  #closed = false;

  /** @param {RTCIceServer[]} iceServers @param {PeerEvents} on @param {ClipOrder} [order] */
  constructor(iceServers, on, order) {
    this.#on = on;
    const { connection, control, motion, clipboard: clip, audio, offer } = takeLine(iceServers);
    this.#connection = connection;
    this.#control = control;
    this.#motion = motion;
    this.#audio = audio;
    this.#offer = offer;
    this.#clip = new Clip(clip, order);
    clip.addEventListener("message", ({ data }) => this.#clip.received(data));
    clip.addEventListener("close", () => this.#clip.close());
    this.#heir = new Heir({
      ask: (epoch) => this.#say("o", epoch),
      type: (typed, held, since) => this.#repeat(whole(typed, held), since),
      after: (typed) => this.#repeat(typed, null),
      lost: (count) => this.#on.dropped(count),
    });
    this.#listen();
  }

  /** True where the machine takes a microphone. */
  get maySpeak() {
    return this.#audio.currentDirection === "sendrecv";
  }

  /** @param {MediaStreamTrack | null} track of a microphone */
  speak(track) {
    if (this.maySpeak) void this.#audio.sender.replaceTrack(track).catch(() => {});
  }

  /** The clipboard's channel. */
  get clip() {
    return this.#clip;
  }

  /** Make the offer and hand it over at once: the door needs no candidates of ours, and the browser sets it up meanwhile. */
  async open() {
    const offer = await this.#offer;
    if (this.#closed) return;
    this.#described = this.#connection.setLocalDescription(offer);
    if (offer.sdp) this.#on.offer(offer.sdp);
    await this.#described;
  }

  /** @param {string} sdp */
  async answer(sdp) {
    await this.#described;
    if (this.#connection.signalingState !== "have-local-offer") return;
    await this.#connection.setRemoteDescription({ type: "answer", sdp });
  }

  /** Send a control message; `seq` is put in after the tag. @param {string} tag @param {...unknown} rest */
  control(tag, ...rest) {
    // It names what is held after what waits: the guest would let go of the rest too early.
    if (tag === "h" && (this.#heir.waits || !this.#gap.empty)) return true;
    if (this.#heir.waits && HEIRS.includes(tag)) this.#heir.keep([tag, ...rest]);
    else if (this.#waits(tag)) this.#gap.keep(this.#typedAt ?? performance.now(), [tag, ...rest]);
    else return this.#say(tag, ...rest);
    return true;
  }

  /** A key that is down repeats: now or not at all. @param {number} keysym */
  again(keysym) {
    if (this.#heir.waits || !this.#gap.empty || this.#holds || this.#control.readyState !== "open") return;
    if (this.#control.bufferedAmount > REPEAT_QUEUE) return;
    this.#control.send(JSON.stringify(["k", this.#nextSeq(), keysym, 1]));
  }

  /** Keep what is typed, or send what was kept. @param {boolean} on */
  hold(on) {
    if (on === this.#holds) return;
    this.#holds = on;
    if (!on) this.#flush();
  }

  /** What was typed and not sent, or sent and not acknowledged, for another rung. @returns {Omit<Left, "epoch"> | Left} */
  left() {
    // what this one never could go on with; then nothing was said by it
    const before = this.#heir.leave();
    if (before) return before;
    const left = { epoch: 0, ...this.#sent.left(), kept: [], since: null, lost: 0 };
    this.#sent.clear();
    const { epoch: _, ...found } = followed(left, this.#gap.end(performance.now()));
    return found;
  }

  /** Go on where another connection of this page ended. @param {Left} left */
  inherit(left) {
    this.#heir.take(left);
  }

  /** Ask how much the guest took by an earlier connection, so that it is known when it is wanted. @param {number} epoch */
  ask(epoch) {
    this.#say("o", epoch);
  }

  /** Nothing that was typed until now is to be said again: the desktop was given on. */
  forget() {
    this.#sent.clear();
    this.#heir.forget();
    this.#gap.end(performance.now());
  }

  /** @param {Typed[]} typed @param {number | null} since */
  #repeat(typed, since) {
    this.#typedAt = since;
    for (const one of typed) this.control(...one);
    this.#typedAt = null;
  }

  /** Typed while nobody knows whether it would arrive, or where there is no channel yet, or none any more; releases, clicks and wheel wait behind it. @param {string} tag */
  #waits(tag) {
    if (this.#closed || !(this.#holds || this.#control.readyState !== "open")) return false;
    return tag === "k" || tag === "t" || (BEHIND.includes(tag) && !this.#gap.empty);
  }

  #flush() {
    if (this.#holds || this.#control.readyState !== "open") return;
    const { kept, lost, dropped } = this.#gap.end(performance.now());
    // what went up in the gap would stay down
    if (dropped) this.#say("r");
    for (const [tag, ...rest] of kept) this.#say(tag, ...rest);
    if (lost > 0) this.#on.dropped(lost);
  }

  /** @param {string} tag @param {...unknown} rest */
  #say(tag, ...rest) {
    if (this.#control.readyState !== "open") return false;
    const seq = this.#nextSeq();
    this.#on.sent?.(seq);
    this.#control.send(JSON.stringify([tag, seq, ...rest]));
    if (this.#sent.push(seq, this.#typedAt ?? performance.now(), [tag, ...rest])) this.#askSoon();
    return true;
  }

  /** Once for all that is typed in a while: the channel is in order, so its answer means everything before. */
  #askSoon() {
    this.#asking ??= setTimeout(() => {
      this.#asking = undefined;
      if (!this.#sent.empty && this.#control.readyState === "open") this.#control.send(JSON.stringify(["p", this.#seq]));
    }, LIMITS.gap.acknowledgeMs);
  }

  /** @param {number} x @param {number} y */
  move(x, y) {
    if (this.#motion.readyState !== "open" || this.#motion.bufferedAmount > MOTION_QUEUE) return;
    this.#motion.send(JSON.stringify(["m", this.#nextSeq(), x, y]));
  }

  /** Where fingers are that move. @param {number[][]} at */
  fingers(at) {
    if (this.#motion.readyState !== "open" || this.#motion.bufferedAmount > MOTION_QUEUE) return;
    this.#motion.send(JSON.stringify(["g", this.#nextSeq(), at]));
  }

  /** Ask for a sign of life, by the channel that never waits for what was lost. @param {number} id @param {number} [drawn] the newest picture's RTP timestamp */
  ping(id, drawn) {
    if (this.#motion.readyState !== "open" || this.#motion.bufferedAmount > MOTION_QUEUE) return;
    this.#motion.send(JSON.stringify(drawn === undefined ? ["p", id] : ["p", id, drawn]));
  }

  /** What the connection has counted so far. */
  async report() {
    return readReport((await this.#connection.getStats()).values());
  }

  close() {
    if (this.#closed) return;
    this.#say("r");
    this.#closed = true;
    this.#heir.forget();
    clearTimeout(this.#asking);
    this.#connection.close();
  }

  #nextSeq() {
    return ++this.#seq;
  }

  #listen() {
    const connection = this.#connection;
    connection.addEventListener("connectionstatechange", () => {
      console.info(`[WebRTC] Connection state: ${connection.connectionState}`);
      if (!this.#closed) this.#on.connection(connection.connectionState);
    });
    connection.addEventListener("track", ({ track, receiver }) => {
      // Each in a stream of its own: the picture must never wait for the sound.
      if (track.kind === "audio") return this.#on.sound(new MediaStream([track]));
      receiver.jitterBufferTarget = 0;
      return this.#on.stream(new MediaStream([track]));
    });
    this.#control.addEventListener("open", () => {
      this.#on.open();
      this.#heir.ask();
      this.#flush();
    });
    for (const channel of [this.#control, this.#motion]) {
      channel.addEventListener("message", ({ data }) => this.#received(data, channel));
    }
    // The guest's process ended or let go of us; the connection's own state tells so only much later.
    this.#control.addEventListener("close", () => !this.#closed && this.#on.connection("closed"));
  }

  /** @param {unknown[]} message */
  #heard(message) {
    if (message[0] === "drives" && !message[1]) this.forget();
    this.#on.message(message);
  }

  /** @param {unknown} data @param {RTCDataChannel} channel */
  #received(data, channel) {
    if (this.#closed || typeof data !== "string" || data.length > MESSAGE_LIMIT) return;
    try {
      const message = JSON.parse(data);
      if (!Array.isArray(message) || typeof message[0] !== "string") return;
      if (message[0] === "had") this.#heir.told(message[1], message[2]);
      else if (message[0] === "p" && channel === this.#control) this.#sent.acknowledged(Number(message[1]));
      else this.#heard(message);
    } catch {
      // A guest may send anything; what is no JSON is nothing.
    }
  }
}
