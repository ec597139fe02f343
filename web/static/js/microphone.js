/** The user may click again, and leave, before a question is answered: an answer nobody waits for any more is shut at once. */
export class Microphone {
  #ask;
  #changed;
  /** @type {MediaStreamTrack | null} the only one that lives */
  #track = null;
  /** The question whose answer counts. @type {object | null} */
  #question = null;
  #refused = false;

  /**
   * @param {() => Promise<MediaStreamTrack | null>} ask for a microphone
   * @param {() => void} changed it is another state
   */
  constructor(ask, changed) {
    this.#ask = ask;
    this.#changed = changed;
  }

  get track() {
    return this.#track;
  }

  /** @returns {"shut" | "asked" | "open" | "refused"} */
  get state() {
    if (this.#track) return "open";
    if (this.#question) return "asked";
    return this.#refused ? "refused" : "shut";
  }

  /** What its button does: a second click takes the question back. */
  toggle() {
    if (this.#track || this.#question) this.shut();
    else void this.#open();
  }

  shut() {
    if (!this.#track && !this.#question) return;
    this.#track?.stop();
    this.#track = this.#question = null;
    this.#changed();
  }

  async #open() {
    const question = {};
    this.#question = question;
    this.#refused = false;
    this.#changed();
    const track = await this.#ask().catch(() => null);
    if (question !== this.#question) return track?.stop();
    this.#question = null;
    this.#track = track;
    this.#refused = !track;
    track?.addEventListener("ended", () => this.#track === track && this.shut());
    this.#changed();
  }
}
