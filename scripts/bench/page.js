// Put into every peer's page before its own scripts: what was shown when, and what came by the wire.
(() => {
  if (window.top !== window || window.bench) return;
  const LOOK_MS = 4;
  const say = console.debug.bind(console); // before a page puts another in its place
  const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const peers = [];
  const offers = [];
  const marks = [];
  let pressedAt = 0;

  addEventListener("keydown", () => (pressedAt = performance.now()), true);

  const RealPeer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends RealPeer {
    constructor(...given) {
      super(...given);
      peers.push(this);
    }
    createDataChannel(...given) {
      const channel = super.createDataChannel(...given);
      channel.addEventListener("message", ({ data }) => {
        if (typeof data === "string" && data.startsWith('["mark"')) marks.push(JSON.parse(data));
      });
      return channel;
    }
    setLocalDescription(...given) {
      offers.push(performance.now());
      return super.setLocalDescription(...given);
    }
  };

  /** The largest visible canvas or video that has a picture. */
  const shown = () => {
    let best = null;
    let most = 64 * 64;
    for (const one of document.querySelectorAll("canvas, video")) {
      const [width, height] = sizeOf(one);
      // Asking where a thing is lays the page out anew: while it loads, each few milliseconds.
      if (one.hidden || width * height <= most) continue;
      const box = one.getBoundingClientRect();
      const area = Math.min(box.width * box.height, width * height);
      if (area > most && getComputedStyle(one).visibility !== "hidden") [best, most] = [one, area];
    }
    return best;
  };
  const sizeOf = (one) => (one instanceof HTMLVideoElement ? [one.videoWidth, one.videoHeight] : [one.width, one.height]);

  /** The colour at a relative place of the picture, as a number that differs where a person sees another colour. */
  const colour = (element, x, y) => {
    const [width, height] = sizeOf(element);
    if (!width) return null;
    pixel.drawImage(element, Math.floor(x * width), Math.floor(y * height), 1, 1, 0, 0, 1, 1);
    const [r, g, b] = pixel.getImageData(0, 0, 1, 1).data;
    return [r, g, b].reduce((sum, value) => sum * 3 + (value > 150 ? 2 : value > 85 ? 1 : 0), 0);
  };
  const RED = 18, GREEN = 3;
  const square = (element) => {
    const [width, height] = sizeOf(element);
    if (!width) return null;
    pixel.drawImage(element, width >> 1, height >> 1, 1, 1, 0, 0, 1, 1);
    const [r, g] = pixel.getImageData(0, 0, 1, 1).data;
    return g > 110 && r < 90 ? "green" : r > 140 && g < 90 ? "red" : null;
  };
  const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK_MS));

  window.bench = {
    firstAt: 0,
    offers,
    /** Of our own guest: `["mark", seq, rtp, act, grab, send, read, convert, encode]`. */
    marks,
    peers,
    shown,
    sizeOf,
    square: () => (shown() ? square(shown()) : null),
    /** Resolves with the milliseconds from the key event to the other colour. Called before the key is pressed. */
    async flipped(deadlineMs) {
      const element = shown();
      const before = square(element);
      pressedAt = 0;
      const end = performance.now() + deadlineMs;
      while (performance.now() < end) {
        await pause();
        if (!pressedAt) continue;
        const now = square(element);
        if (now && now !== before) return performance.now() - pressedAt;
      }
      return null;
    },
    /** How many pictures with another colour in the corner were seen in so many milliseconds. */
    async pictures(ms) {
      const element = shown();
      let last = null, seen = 0;
      const begin = performance.now();
      while (performance.now() < begin + ms) {
        const now = colour(element, 0.97, 0.05);
        if (now !== last) [last, seen] = [now, seen + 1];
        await pause();
      }
      return { seen, ms: performance.now() - begin };
    },
    /** What peer connections have received so far: bytes, frames, and the seconds these took. */
    async bytes() {
      let media = 0, audio = 0, transport = 0, frames = 0, decode = 0, jitter = 0, emitted = 0, rtt = null;
      for (const peer of peers) {
        if (peer.connectionState === "closed") continue;
        for (const one of (await peer.getStats()).values()) {
          if (one.type === "inbound-rtp" && one.kind === "video") {
            media += one.bytesReceived + one.headerBytesReceived;
            frames += one.framesDecoded ?? 0;
            decode += one.totalDecodeTime ?? 0;
            jitter += one.jitterBufferDelay ?? 0;
            emitted += one.jitterBufferEmittedCount ?? 0;
          }
          if (one.type === "inbound-rtp" && one.kind === "audio") audio += one.bytesReceived;
          if (one.type === "transport") transport += one.bytesReceived;
          if (one.type === "candidate-pair" && one.nominated) rtt = one.currentRoundTripTime ?? rtt;
        }
      }
      return { media, audio, transport, frames, decode, jitter, emitted, rtt };
    },
    /** The picture's brightness, one byte a pixel, in base64, with its size. */
    luma() {
      const element = shown();
      const [width, height] = sizeOf(element);
      const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
      context.drawImage(element, 0, 0);
      const { data } = context.getImageData(0, 0, width, height);
      const bytes = new Uint8Array(width * height);
      for (let at = 0; at < bytes.length; at++)
        bytes[at] = (77 * data[4 * at] + 150 * data[4 * at + 1] + 29 * data[4 * at + 2]) >> 8;
      let text = "";
      for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
      return { width, height, luma: btoa(text) };
    },
  };

  const first = async () => {
    for (;;) {
      const element = document.body && shown();
      if (element && square(element)) break;
      await pause();
    }
    window.bench.firstAt = performance.now();
    say("bench: a picture");
  };
  void first();
})();
