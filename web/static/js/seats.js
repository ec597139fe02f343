/** @import { Seat } from "../../types/model" */

/** Who watches this session and who drives it, as the server said it last. */
export class Seats {
  #peer;
  /** @type {Seat[]} */
  #viewers = [];

  /** @param {() => string} peer this page's own name */
  constructor(peer) {
    this.#peer = peer;
  }

  get viewers() {
    return this.#viewers;
  }

  set viewers(viewers) {
    this.#viewers = viewers;
  }

  /** This page among them. */
  get own() {
    return this.#viewers.find(({ peer }) => peer === this.#peer());
  }

  /** The others. */
  get others() {
    return this.#viewers.filter(({ peer }) => peer !== this.#peer());
  }

  get driver() {
    return this.#viewers.find(({ drives }) => drives);
  }

  /** True while this page has the keyboard, as far as it knows. */
  get drives() {
    return this.own?.drives ?? !this.#viewers.length;
  }
}
