import { request, socketUrl } from "./api.js";
import { ClipOrder } from "./clip_order.js";
import { IceServerList } from "./ice.js";
import { iceServers } from "./opening.js";
import { WebRtc } from "./webrtc.js";

/** @import { Layers } from "./layers.js" */
/** @import { Signal } from "./signal.js" */
/** @import { Vnc } from "./vnc.js" */
/** @import { Happening, Places, Size } from "../../types/model" */

/** The code of a socket whose viewer's name is another person's. */
const NAME_TAKEN = 4412;

/**
 * @typedef {object} RungsEvents
 * @property {(happening: Happening) => void} happen for the ladder
 * @property {(rung: WebRtc) => void} open input may be sent on it
 * @property {(rung: WebRtc) => void} swapped another element shows its picture
 * @property {(rung: WebRtc, message: unknown[]) => void} message from the guest
 * @property {(count: number) => void} dropped so many key presses and texts were not sent
 */

/** All rungs that live: those on the screen, and those that are being tried beside them, each on a layer of its own. */
export class Rungs {
  #places;
  #layers;
  #signal;
  #on;
  #order = new ClipOrder();
  #iceServers;
  /** @type {Map<number, WebRtc>} */
  #peers = new Map();
  /** @type {Map<number, Vnc>} */
  #vncs = new Map();
  /** The epoch whose peer waits for the list of ICE servers. */
  #opening = 0;
  /** The noVNC that waits for its modules. */
  #openingVnc = 0;
  /** A connection was given up, as the browser showed nothing of it. */
  #replaced = false;

  /** @param {Places} places @param {Layers} layers @param {Signal} signal @param {RungsEvents} on */
  constructor(places, layers, signal, on) {
    this.#places = places;
    this.#iceServers = new IceServerList(() => iceServers(places));
    this.#layers = layers;
    this.#signal = signal;
    this.#on = on;
  }

  /** Ask for the list of ICE servers ahead. */
  prepare() {
    void this.#iceServers.current();
  }

  /** @param {number} epoch */
  peer(epoch) {
    return this.#peers.get(epoch);
  }

  /** @param {number} vnc */
  vnc(vnc) {
    return this.#vncs.get(vnc);
  }

  /** @param {number} epoch @param {boolean} direct without a relay */
  async openPeer(epoch, direct) {
    this.#opening = epoch;
    const servers = await this.#iceServers.current();
    if (this.#opening !== epoch) return;
    const { happen, open, swapped, message, dropped } = this.#on;
    /** @type {WebRtc} */
    const peer = new WebRtc(this.#layers.add(), epoch, direct ? withoutRelays(servers) : servers, {
      offer: (sdp) => this.#signal.offer(epoch, sdp),
      connection: (state) => happen({ type: "connection", epoch, state }),
      picture: (relay) => happen({ type: "picture", epoch, relay }),
      frame: () => happen({ type: "frame", epoch }),
      unshown: () => this.#unshown(epoch),
      relay: (relay) => happen({ type: "relay", epoch, relay }),
      heard: (what) => happen({ type: "heard", epoch, ...what }),
      swapped: () => swapped(peer),
      open: () => open(peer),
      message: (what) => message(peer, what),
      dropped,
    }, this.#order);
    this.#peers.set(epoch, peer);
    peer.open().catch(() => happen({ type: "refused", epoch }));
  }

  /** The next is tried at once, but only the first time: a browser that never shows a thing has noVNC. @param {number} epoch */
  #unshown(epoch) {
    this.#on.happen({ type: "refused", epoch, early: !this.#replaced });
    this.#replaced = true;
  }

  /** See whether there is a direct way, by a peer of another name: the one on the screen goes on. @param {string} name @param {number} epoch */
  async probe(name, epoch) {
    const { probe } = await import("./probe.js");
    const servers = withoutRelays(await this.#iceServers.current());
    const { connected } = await probe({ places: this.#places, name, epoch, servers, policy: "all" });
    this.#signal.bye(epoch, name);
    this.#on.happen({ type: "probed", direct: connected });
  }

  /** @param {number} epoch @param {string} sdp */
  async answer(epoch, sdp) {
    try {
      await this.#peers.get(epoch)?.answer(sdp);
    } catch {
      this.#on.happen({ type: "refused", epoch });
    }
  }

  /** @param {number} epoch @returns {WebRtc | undefined} the one that was closed */
  closePeer(epoch) {
    if (this.#opening === epoch) this.#opening = 0;
    this.#signal.bye(epoch);
    return this.#drop(this.#peers, epoch);
  }

  /** @param {number} vnc */
  openVnc(vnc) {
    this.#openingVnc = vnc;
    this.#makeVnc(vnc).catch(() => this.#on.happen({ type: "vnc-closed", vnc }));
  }

  /** @param {number} vnc @returns {Vnc | undefined} the one that was closed */
  closeVnc(vnc) {
    if (this.#openingVnc === vnc) this.#openingVnc = 0;
    return this.#drop(this.#vncs, vnc);
  }

  /** @param {number} vnc */
  async #makeVnc(vnc) {
    const [{ Vnc }, { ChannelSocket }] = await Promise.all([import("./vnc.js"), import("./channel_socket.js")]);
    if (this.#openingVnc !== vnc) return;
    const { vnc: place, channel, screen } = this.#places;
    const name = this.#signal.peer;
    const socket = new WebSocket(socketUrl(`${place}?peer=${name}`), ["binary"]);
    const taken = (/** @type {CloseEvent} */ { code }) => {
      if (code !== NAME_TAKEN) return;
      this.#signal.taken(name);
      // Another noVNC comes, by the page's new name.
      socket.close();
    };
    socket.addEventListener("close", taken);
    const beside = new ChannelSocket(() => {
      const opened = new WebSocket(socketUrl(`${channel}?peer=${name}`));
      opened.addEventListener("close", taken);
      return opened;
    }, this.#order);
    const resize = (/** @type {Size} */ body) =>
      screen && void request("POST", screen, { body }).catch(() => {});
    const rung = new Vnc(this.#layers.add(), socket, {
      picture: () => this.#on.happen({ type: "vnc-picture", vnc }),
      closed: () => this.#on.happen({ type: "vnc-closed", vnc }),
      heard: (what) => this.#on.happen({ type: "vnc-heard", vnc, what }),
      resize,
      dropped: this.#on.dropped,
    }, beside);
    this.#vncs.set(vnc, rung);
  }

  /**
   * @template {WebRtc | Vnc} R
   * @param {Map<number, R>} rungs
   * @param {number} key
   * @returns {R | undefined}
   */
  #drop(rungs, key) {
    const rung = rungs.get(key);
    rungs.delete(key);
    if (!rung) return undefined;
    rung.close();
    this.#layers.remove(rung.layer);
    return rung;
  }
}

/** Fetch noVNC's modules while the network is good. */
export function fetchVnc() {
  for (const module of ["./vnc.js", "./channel_socket.js"]) void import(module).catch(() => {});
}

/** @param {RTCIceServer[]} servers @returns {RTCIceServer[]} */
function withoutRelays(servers) {
  return servers.filter(({ urls }) => ![urls].flat().some((url) => /^turns?:/.test(url)));
}
