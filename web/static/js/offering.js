import { SERVER_DIED, TOO_MANY, WAITS } from "./waits.js";

/** @import { Request } from "./signal.js" */
/** @import { Offered, Places, SignalEvent } from "../../types/model" */

/**
 * The offer that waits for its answer: by the WebSocket while that is open, else by HTTP. A newer one replaces an older.
 */
export class Offering {
  #peer;
  #places;
  #ask;
  #send;
  #tell;
  /** @type {{ epoch: number, sdp: string, sent: boolean, abort: AbortController } | null} */
  #offer = null;
  /** The one that went out before anybody asked for it. @type {Offered | null} */
  #ahead;
  /** Tells what became of that one, `early` being true. @type {((early: boolean) => void) | null} */
  #early = null;
  /** The WebSocket is gone that it went by, perhaps before it arrived: the server takes it twice. */
  #cut = false;

  /**
   * @param {{ peer: () => string, places: Places, ask: Request, send: (message: object) => boolean,
   *   tell: (event: SignalEvent) => void, ahead?: Offered | null }} parts `peer` is the page's name now; `send` is false where no WebSocket is open
   */
  constructor({ peer, places, ask, send, tell, ahead = null }) {
    this.#ahead = ahead;
    this.#peer = peer;
    this.#places = places;
    this.#ask = ask;
    this.#send = send;
    this.#tell = tell;
  }

  /** @param {number} epoch @param {string} sdp */
  replace(epoch, sdp) {
    this.drop();
    const [ahead, early] = [this.#ahead, this.#early];
    const went = Boolean(sdp) && ahead?.epoch === epoch && ahead.sdp === sdp;
    this.#offer = { epoch, sdp, sent: went && !this.#cut, abort: new AbortController() };
    this.#ahead = this.#early = null;
    if (went && early) early(true);
  }

  /** Nobody waits for it any more. @param {number} [epoch] only this one */
  drop(epoch) {
    if (!this.#offer || (epoch !== undefined && this.#offer.epoch !== epoch)) return;
    this.#offer.abort.abort();
    this.#offer = null;
  }

  /** The socket it may have been sent by is lost, and whether it arrived is not known: the server takes it twice. */
  unsent() {
    if (this.#offer) this.#offer.sent = false;
  }

  /** By the WebSocket, where it was not sent yet. @returns {boolean} false: no WebSocket is open */
  bySocket() {
    const offer = this.#offer;
    if (!offer || offer.sent) return true;
    offer.sent = this.#send({ type: "offer", peer: this.#peer(), epoch: offer.epoch, sdp: offer.sdp });
    return offer.sent;
  }

  /** The slow road: post what was not sent yet, then ask until there is an answer. */
  async byHttp() {
    const offer = this.#offer;
    this.#cut = true;
    if (!offer) return;
    const { epoch, sdp, abort } = offer;
    const query = new URLSearchParams({ peer: this.#peer(), epoch: `${epoch}`, wait_ms: `${WAITS.answerMs}` });
    try {
      const body = { peer: this.#peer(), epoch, sdp };
      if (!offer.sent) await this.#ask("POST", this.#places.offer, { body, signal: abort.signal });
      offer.sent = true;
      while (this.#offer === offer) {
        const deadlineMs = WAITS.answerMs + 5000;
        const answer = await this.#ask("GET", `${this.#places.answer}?${query}`, { signal: abort.signal, deadlineMs });
        if (answer.status === 200) return this.answered(epoch, answer.body?.sdp);
      }
    } catch (error) {
      if (!abort.signal.aborted) this.refused(epoch, /** @type {any} */ (error));
    }
  }

  /** @param {unknown} epoch @param {unknown} sdp */
  answered(epoch, sdp) {
    if (this.#keeps(epoch, () => this.answered(epoch, sdp))) return;
    if (this.#offer?.epoch !== epoch || typeof sdp !== "string") return;
    this.#offer = null;
    this.#tell({ type: "answer", epoch: Number(epoch), sdp });
  }

  /**
   * @param {unknown} epoch
   * @param {{ code?: string, message?: string, retry_after?: number, retryAfterS?: number | null }} why by the WebSocket, or by HTTP
   * @param {boolean} [early] it was said before anybody asked: of a moment that is over, as when the machine waited in vain
   */
  refused(epoch, why, early = false) {
    if (this.#keeps(epoch, (late) => this.refused(epoch, why, late))) return;
    const { code = "", message = "" } = why;
    const waits = this.#offer?.epoch === epoch;
    // The one refusal that comes after an answer, to a peer that may be on the screen.
    if (!waits && !(code === SERVER_DIED && Number.isInteger(epoch))) return;
    if (waits) this.#offer = null;
    const waitMs = patience(why);
    this.#tell({ type: "refused", epoch: Number(epoch), code, message, ...(early ? { early } : {}), ...(waitMs ? { waitMs } : {}) });
  }

  /** What is said of the offer that went ahead waits until it is asked for. @param {unknown} epoch @param {(early: boolean) => void} tell */
  #keeps(epoch, tell) {
    if (!this.#ahead?.sdp || this.#ahead.epoch !== epoch) return false;
    this.#early = tell;
    return true;
  }
}

/**
 * How long the server wants no other offer, in milliseconds: only where there were too many, for else the page knows better.
 * @param {{ code?: string, retry_after?: unknown, retryAfterS?: unknown }} why
 */
function patience({ code, retry_after, retryAfterS }) {
  const seconds = Number(retry_after ?? retryAfterS);
  return code === TOO_MANY && seconds > 0 ? Math.min(1000 * seconds, WAITS.patienceMs) : 0;
}
