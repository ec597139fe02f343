import { Clip } from "./clip.js";
import { Gap, isStroke } from "./gap.js";
import { takeLine } from "./line.js";
import { readReport } from "./statistics.js";

/** @import { ClipOrder } from "./clip_order.js" */

const MESSAGE_LIMIT = 64 * 1024;
/** A mouse move is dropped while this much waits: the next one says more. Bytes. */
const MOTION_QUEUE = 2048;
/** What must not overtake keys that wait. */
const BEHIND = ["r", "b", "w"];

/**
 * @typedef {object} PeerEvents
 * @property {(sdp: string) => void} offer
 * @property {(state: RTCPeerConnectionState) => void} connection
 * @property {(stream: MediaStream) => void} stream the picture
 * @property {(stream: MediaStream) => void} sound
 * @property {(message: unknown[]) => void} message from the guest
 * @property {() => void} open the control channel is open
 * @property {(seq: number) => void} [sent] input with this number is on its way
 * @property {() => void} typed a key press or a text was sent
 * @property {(count: number) => void} dropped so many key presses and texts were kept for too long, and were not sent
 */

/** One try at a peer connection to the guest's stream server: one epoch. */
export class Peer {
  #connection;
  #control;
  #motion;
  #audio;
  #offer;
  #clip;
  #on;
  #seq = 0;
  #gap = new Gap();
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

  /** Make the offer and hand it over at once: the door needs no candidates of ours. */
  async open() {
    const offer = await this.#offer;
    if (this.#closed) return;
    await this.#connection.setLocalDescription(offer);
    if (!this.#closed && offer.sdp) this.#on.offer(offer.sdp);
  }

  /** @param {string} sdp */
  async answer(sdp) {
    if (this.#connection.signalingState !== "have-local-offer") return;
    await this.#connection.setRemoteDescription({ type: "answer", sdp });
  }

  /** Send a control message; `seq` is put in after the tag. @param {string} tag @param {...unknown} rest */
  control(tag, ...rest) {
    // It names what is held after what waits: the guest would let go of the rest too early.
    if (tag === "h" && !this.#gap.empty) return true;
    if (!this.#waits(tag)) return this.#say(tag, ...rest);
    this.#gap.keep(performance.now(), [tag, ...rest]);
    return true;
  }

  /** Keep what is typed, or send what was kept. @param {boolean} on */
  hold(on) {
    if (on === this.#holds) return;
    this.#holds = on;
    if (!on) this.#flush();
  }

  /** What was typed and not sent, for another rung. */
  takeGap() {
    return this.#gap.end(performance.now());
  }

  /** Typed while nobody knows whether it would arrive, or before there is a channel; releases, clicks and wheel wait behind it. @param {string} tag */
  #waits(tag) {
    if (this.#closed || !(this.#holds || this.#control.readyState === "connecting")) return false;
    return tag === "k" || tag === "t" || (BEHIND.includes(tag) && !this.#gap.empty);
  }

  #flush() {
    if (this.#holds || this.#control.readyState !== "open") return;
    const { kept, lost, dropped } = this.takeGap();
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
    this.#gap.sent([tag, ...rest]);
    if (isStroke([tag, ...rest])) this.#on.typed();
    return true;
  }

  /** @param {number} x @param {number} y */
  move(x, y) {
    if (this.#motion.readyState !== "open" || this.#motion.bufferedAmount > MOTION_QUEUE) return;
    this.#motion.send(JSON.stringify(["m", this.#nextSeq(), x, y]));
  }

  /** Ask for a sign of life, by the channel that never waits for what was lost. @param {number} id */
  ping(id) {
    if (this.#motion.readyState !== "open" || this.#motion.bufferedAmount > MOTION_QUEUE) return;
    this.#motion.send(JSON.stringify(["p", id]));
  }

  /** What the connection has counted so far. */
  async report() {
    return readReport((await this.#connection.getStats()).values());
  }

  close() {
    if (this.#closed) return;
    this.#say("r");
    this.#closed = true;
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
      this.#flush();
    });
    for (const channel of [this.#control, this.#motion]) {
      channel.addEventListener("message", ({ data }) => this.#received(data));
    }
    // The guest's process ended or let go of us; the connection's own state tells so only much later.
    this.#control.addEventListener("close", () => !this.#closed && this.#on.connection("closed"));
  }

  /** @param {unknown} data */
  #received(data) {
    if (this.#closed || typeof data !== "string" || data.length > MESSAGE_LIMIT) return;
    try {
      const message = JSON.parse(data);
      if (Array.isArray(message) && typeof message[0] === "string") this.#on.message(message);
    } catch {
      // A guest may send anything; what is no JSON is nothing.
    }
  }
}
