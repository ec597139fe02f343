/** Pings and their answers alone: whether what goes out arrives, whatever comes in meanwhile. Times are milliseconds that the page was awake. */
export class Echo {
  /** Pings since the last answer. */
  asked = 0;
  /** It answered once, and so can be told to be silent. */
  answers = false;
  #askedAt = 0;

  /** @param {number} awake */
  ping(awake) {
    if (!this.asked) this.#askedAt = awake;
    this.asked += 1;
  }

  pong() {
    this.asked = 0;
    this.answers = true;
  }

  /** Nothing before this moment counts. */
  forgive() {
    this.asked = 0;
  }

  /** For how long the oldest ping since the last answer waits; 0: none, or nobody who would answer. @param {number} awake */
  waits(awake) {
    return this.answers && this.asked ? awake - this.#askedAt : 0;
  }
}
