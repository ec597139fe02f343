import { BlackWatch } from "./black.js";
import { Cursors } from "./cursor.js";
import { FirstWords } from "./first_words.js";
import { Freezes } from "./freezes.js";
import { Input } from "./input.js";
import { Marks } from "./marks.js";
import { Peer } from "./peer.js";
import { Picture } from "./picture.js";
import { isStroke } from "./sent.js";
import { readTarget } from "./statistics.js";
import { isUnshown } from "./unshown.js";

/** @import { ClipOrder } from "./clip_order.js" */
/** @import { Typed } from "./gap.js" */
/** @import { Left } from "./sent.js" */
/** @import { Sample } from "./statistics.js" */
/** @import { Size, Target } from "../../types/model" */

/** Largest desktop side the guest may claim. */
const MOST_PX = 7680;

/**
 * @typedef {object} WebRtcEvents
 * @property {(sdp: string) => void} offer
 * @property {(state: RTCPeerConnectionState) => void} connection
 * @property {(relay: boolean) => void} picture the first that counts was drawn
 * @property {() => void} frame a picture was drawn
 * @property {() => void} unshown pictures come and are decoded, and the browser gives them to nobody
 * @property {(relay: boolean) => void} relay known once connected
 * @property {() => void} swapped another element shows the picture
 * @property {() => void} open input may be sent
 * @property {(count: number) => void} dropped so many key presses and texts were not sent
 * @property {(what: { pong: boolean, sent: boolean, rests: boolean }) => void} heard the guest said something: the answer to a
 *   ping, that it sent a changed picture, that there is none newer than what was drawn, or else
 * @property {(message: unknown[]) => void} message from the guest, once `takeEarly` was called
 */

/** The WebRTC rung: one peer, its picture and its input on a layer. */
export class WebRtc {
  #layer;
  #epoch;
  #on;
  #peer;
  #input;
  #cursors = new Cursors();
  #marks = new Marks();
  /** @type {Picture | null} */
  #picture = null;
  /** @type {Size | null} what the guest says */
  #desktop = null;
  #relay = false;
  /** @type {MediaStream | null} */
  #sound = null;
  #lit = false;
  #frames = 0;
  /** @type {Freezes | null} from the first picture on */
  #freezes = null;
  /** @type {Target | undefined} what the guest aims at */
  #target;
  #leaving = new AbortController();
  #pings = 0;
  #black = new BlackWatch({
    ask: () => void this.send("l"),
    nudge: () => void this.send("i"),
    broken: () => this.#on.connection("failed"),
  });
  #first = new FirstWords();
  /** @type {number | undefined} the RTP timestamp of the newest picture that was drawn, where the browser tells */
  #newest;
  /** The guest wants to know which picture that is: it need not repeat that one. */
  #mayRest = false;

  /**
   * @param {HTMLElement} layer @param {number} epoch @param {RTCIceServer[]} iceServers @param {WebRtcEvents} on
   * @param {ClipOrder} order
   */
  constructor(layer, epoch, iceServers, on, order) {
    this.#layer = layer;
    this.#epoch = epoch;
    this.#on = on;
    this.#peer = new Peer(iceServers, {
      offer: on.offer,
      open: on.open,
      sent: (seq) => this.#marks.sent(seq, performance.now()),
      connection: (state) => void this.#changed(state),
      stream: (stream) => this.#show(stream),
      sound: (stream) => (this.#sound = stream),
      message: (message) => this.#received(message),
      dropped: on.dropped,
    }, order);
    this.#input = new Input(layer, this.#peer, {
      desktop: () => this.size(),
      box: () => (this.#picture?.element ?? layer).getBoundingClientRect(),
    });
    // What nobody sees may stand still.
    const restart = () => this.#freezes?.restart(performance.now());
    document.addEventListener("visibilitychange", restart, { signal: this.#leaving.signal });
  }

  get epoch() {
    return this.#epoch;
  }

  get layer() {
    return this.#layer;
  }

  /** What the desktop plays, and nothing else. */
  get sound() {
    return this.#sound;
  }

  get maySpeak() {
    return this.#peer.maySpeak;
  }

  /** @param {MediaStreamTrack | null} track */
  speak(track) {
    this.#peer.speak(track);
  }

  get element() {
    return this.#picture?.element ?? null;
  }

  open() {
    return this.#peer.open();
  }

  /** @param {string} sdp */
  answer(sdp) {
    return this.#peer.answer(sdp);
  }

  /** @returns {Size} */
  size() {
    return this.#desktop ?? this.#picture?.size() ?? { width: 0, height: 0 };
  }

  /** @param {Size} size */
  resize({ width, height }) {
    this.#peer.control("s", width, height);
  }

  /** Ask for a sign of life, and say which picture was drawn; not one that may be black by mistake. */
  ping() {
    this.#peer.ping(++this.#pings, this.#mayRest && this.#black.lit ? this.#newest : undefined);
  }

  /** Keep what is typed, or send what was kept. @param {boolean} on */
  hold(on) {
    this.#peer.hold(on);
  }

  /** What was typed and may not have arrived, for another rung. @returns {Left} */
  left() {
    const left = { epoch: this.#epoch, ...this.#peer.left() };
    // a paste that broke is over, with what was typed behind it: the desktop would paste something else
    const waiting = this.#input.drop().filter((one) => isStroke(/** @type {Typed} */ (one)));
    return { ...left, lost: left.lost + waiting.length };
  }

  /** Go on where another rung ended. @param {Left} left */
  inherit(left) {
    this.#peer.inherit(left);
  }

  /** Ask how much the guest took by an earlier peer of this page. @param {number} epoch */
  ask(epoch) {
    this.#peer.ask(epoch);
  }

  /** Nothing that was typed until now is to be said again. */
  forget() {
    this.#peer.forget();
  }

  /** Say something to the guest. @param {string} tag @param {...unknown} rest */
  send(tag, ...rest) {
    return this.#peer.control(tag, ...rest);
  }

  /** What the guest said before anybody listened, once: the newest message of each kind. */
  takeEarly() {
    return this.#first.take();
  }

  focus() {
    this.#input.focus();
  }

  get clip() {
    return this.#peer.clip;
  }

  /** Let a phone's keyboard rise, or none. @param {boolean} on */
  screenKeyboard(on) {
    this.#input.screenKeyboard(on);
  }

  get input() {
    return this.#input;
  }

  /** Press the desktop's paste key. */
  paste() {
    this.#input.paste();
  }

  /** @param {string} text */
  type(text) {
    this.#input.type(text);
  }

  /** @returns {Promise<Sample>} */
  async sample() {
    const { relay, arrived, ...counted } = await this.#peer.report();
    this.#relayed(relay);
    const size = this.#picture?.size() ?? { width: 0, height: 0 };
    const at = performance.now();
    const freezes = this.#freezes?.look(at, arrived) ?? null;
    const target = this.#target ? { target: this.#target } : {};
    return { at, frames: this.#frames, ...size, ...counted, freezes, ...target, latency: this.#marks.latest() };
  }

  /** Latencies measured after the first `count`. @param {number} count */
  latencies(count) {
    return this.#marks.since(count);
  }

  close() {
    this.#leaving.abort();
    this.#input.stop();
    this.#peer.close();
    this.#picture?.stop();
  }

  /** @param {RTCPeerConnectionState} state */
  async #changed(state) {
    this.#on.connection(state);
    if (state !== "connected") return;
    void this.#awaitFirst();
    this.#relayed((await this.#peer.report()).relay);
  }

  async #awaitFirst() {
    const decoded = async () => (await this.#peer.report()).decoded;
    if (await isUnshown(decoded, () => this.#frames > 0 || this.#leaving.signal.aborted)) this.#on.unshown();
  }

  /** @param {boolean} relay which pair is selected is known a little after `connected`, and may change */
  #relayed(relay) {
    if (relay !== this.#relay) this.#on.relay(relay);
    this.#relay = relay;
  }

  /** @param {MediaStream} stream */
  #show(stream) {
    this.#picture?.stop();
    this.#picture = new Picture(this.#layer, stream, {
      frame: (lit, rtp) => this.#drawn(lit, rtp),
      swapped: this.#on.swapped,
    });
    this.#picture.element.tabIndex = -1;
  }

  /** @param {boolean} lit @param {number} [rtp] */
  #drawn(lit, rtp) {
    this.#newest = rtp;
    if (rtp !== undefined) this.#marks.drawn(rtp, performance.now());
    this.#frames += 1;
    this.#freezes ??= new Freezes(performance.now());
    this.#freezes.drawn(performance.now());
    if (lit && !this.#lit) {
      this.#lit = true;
      this.#on.picture(this.#relay);
    } else if (this.#lit) {
      this.#on.frame();
      if (this.#picture) this.#black.drawn(performance.now(), this.#picture.element, this.#picture.size());
    }
  }

  /** @param {unknown[]} message from the guest, who may say anything */
  #received(message) {
    const [tag, width, height] = message;
    const rests = tag === "p" && height === 1;
    this.#on.heard({ pong: tag === "p", sent: tag === "mark", rests });
    if (rests) this.#freezes?.rests(performance.now());
    if (tag === "rest") this.#mayRest = width === 1;
    if (tag === "cursor") this.#layer.style.cursor = this.#cursors.css(message);
    if (tag === "size" && isSide(width) && isSide(height)) this.#desktop = { width, height };
    if (tag === "drives") this.#input.drive(Boolean(width));
    if (tag === "rate") this.#target = readTarget(message) ?? this.#target;
    if (tag === "lit") this.#black.told(performance.now(), width);
    if (tag === "mark") this.#marks.marked(message);
    if (tag === "mark") this.#freezes?.marked(performance.now());
    // who listens for it finds it taken
    if (tag === "touch" && width) void this.#input.takeTouch().then(() => this.#pass(message)).catch(() => {});
    else this.#pass(message);
  }

  /** @param {unknown[]} message */
  #pass(message) {
    if (!this.#first.keep(message)) this.#on.message(message);
  }
}

/** @param {unknown} value @returns {value is number} */
function isSide(value) {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= MOST_PX;
}
