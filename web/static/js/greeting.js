const VERSION = "RFB 003.008\n";
const NO_SECURITY = 1;
const INIT_BYTES = 24;
/** Bytes heard in all; a greeting is some sixty and the display's name. */
const LIMIT = 64 * 1024;

/** What a viewer hears of a display before its first picture (RFC 6143, 7.1 to 7.3). The display may be hostile: none of its words is shown. */
export class Greeting {
  /** Of the screen, in pixels. @type {{ width: number, height: number } | null} */
  size = null;
  /** What is wrong with it, in words of ours. */
  wrong = "";
  /** @type {number[]} */
  #kept = [];
  #heard = 0;
  /** @type {() => number[] | null} */
  #take = () => this.#version();

  /** @param {ArrayBuffer} data @returns {Uint8Array<ArrayBuffer>} what the viewer says to all that was heard so far */
  feed(data) {
    this.#heard += data.byteLength;
    if (this.#heard > LIMIT) this.wrong ||= "it talks without end";
    /** @type {number[]} */
    const said = [];
    if (!this.#over) this.#kept.push(...new Uint8Array(data));
    while (!this.#over) {
      const answer = this.#take();
      if (!answer) break;
      said.push(...answer);
    }
    return new Uint8Array(said);
  }

  get #over() {
    return this.size !== null || this.wrong !== "";
  }

  /** @param {number} size */
  #cut(size) {
    return this.#kept.length < size ? null : this.#kept.splice(0, size);
  }

  #version() {
    const heard = this.#cut(VERSION.length);
    if (!heard) return null;
    if (String.fromCharCode(...heard) !== VERSION) return this.#end("it does not speak RFB 3.8");
    this.#take = () => this.#security();
    return heard;
  }

  #security() {
    const count = this.#kept[0] ?? Infinity;
    const heard = this.#cut(1 + count);
    if (!heard) return null;
    if (!heard.slice(1).includes(NO_SECURITY)) return this.#end("it refuses viewers");
    this.#take = () => this.#result();
    return [NO_SECURITY];
  }

  #result() {
    const heard = this.#cut(4);
    if (!heard) return null;
    if (heard.some(Boolean)) return this.#end("it refuses viewers");
    this.#take = () => this.#init();
    return [1]; // shared: nobody else who watches is sent away
  }

  #init() {
    const heard = this.#cut(INIT_BYTES);
    if (!heard) return null;
    const view = new DataView(new Uint8Array(heard).buffer);
    const [width, height] = [view.getUint16(0), view.getUint16(2)];
    if (!width || !height) return this.#end("its screen has no size");
    this.size = { width, height };
    return [];
  }

  /** @param {string} why */
  #end(why) {
    this.wrong = why;
    return null;
  }
}
