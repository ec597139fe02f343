/** Lets so many go at once, in the order in which they came. */
export class Turns {
  #most;
  #busy = 0;
  /** @type {(() => Promise<unknown>)[]} */
  #waiting = [];

  /** @param {number} most */
  constructor(most) {
    this.#most = most;
  }

  /** @param {() => Promise<unknown>} begin holds its turn until it is settled */
  add(begin) {
    this.#waiting.push(begin);
    this.#next();
  }

  /** Take it out of those that wait. @param {() => Promise<unknown>} begin */
  drop(begin) {
    this.#waiting = this.#waiting.filter((each) => each !== begin);
  }

  #next() {
    while (this.#busy < this.#most) {
      const begin = this.#waiting.shift();
      if (!begin) return;
      this.#busy += 1;
      begin().then(this.#ended, this.#ended);
    }
  }

  #ended = () => {
    this.#busy -= 1;
    this.#next();
  };
}

/**
 * One at a time: whoever asks while it is under way gets the next, one for all of them, which began after they asked.
 * @param {() => Promise<void>} act never fails
 */
export function oneAtATime(act) {
  /** @type {Promise<void> | null} */
  let going = null;
  /** @type {Promise<void> | null} */
  let next = null;
  /** @returns {Promise<void>} */
  const ask = () => {
    if (!going) return (going = act().finally(() => (going = null)));
    next ??= going.then(() => ((next = null), ask()));
    return next;
  };
  return ask;
}
