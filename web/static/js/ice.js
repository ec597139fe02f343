/** @import { IceServers } from "../../types/model" */

/** A peer does not wait longer than this for the list: the door works without. */
const PATIENCE_MS = 1500;
const RETRY_MS = 2000;
/** Credentials are renewed this long before they end. */
const MARGIN_MS = 60_000;

/** STUN and TURN servers, fetched early and kept while they live, so that a rebuild waits for nothing. */
export class IceServerList {
  #get;
  /** @type {RTCIceServer[]} */
  #servers = [];
  #until = 0;
  /** @type {Promise<void> | null} */
  #asking = null;

  /** @param {() => Promise<IceServers>} get */
  constructor(get) {
    this.#get = get;
  }

  /** The list, or what is known of it when the server is slow or away. */
  async current() {
    if (Date.now() >= this.#until) {
      this.#asking ??= this.#refresh();
      await Promise.race([this.#asking, new Promise((resume) => setTimeout(resume, PATIENCE_MS))]);
    }
    return this.#servers;
  }

  async #refresh() {
    try {
      const { ice_servers, ttl_s } = await this.#get();
      this.#servers = ice_servers;
      this.#until = Date.now() + Math.max(ttl_s * 1000 - MARGIN_MS, MARGIN_MS / 2);
    } catch {
      this.#until = Date.now() + RETRY_MS;
    }
    this.#asking = null;
  }
}
