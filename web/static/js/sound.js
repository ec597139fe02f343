import { byId, setText } from "./elements.js";

/** @import { Viewer } from "./viewer.js" */

const REMEMBERED = "transom.silent";

/**
 * What becomes of an open microphone: sent, kept silent until a connection that takes it is back, or shut.
 * @param {{ webrtc: boolean, takes: boolean, drives: boolean, pinned: boolean, over: boolean }} now `takes` the connection on the
 *   screen has a place for it; `pinned` the user chose noVNC, which has none
 * @returns {"sent" | "waits" | "shut"}
 */
export function fateOf({ webrtc, takes, drives, pinned, over }) {
  if (over || !drives || pinned) return "shut";
  if (!webrtc) return "waits";
  return takes ? "sent" : "shut";
}

/** The desktop's sound, of the peer that is on the screen alone, and the user's microphone where the machine takes it. */
export class SoundPanel {
  #viewer;
  #audio = new Audio();
  #mute = /** @type {HTMLButtonElement} */ (byId("sound"));
  #speak = /** @type {HTMLButtonElement} */ (byId("microphone"));
  /** @type {MediaStreamTrack | null} */
  #track = null;
  /** @type {unknown} the rung that was given the track */
  #told = null;

  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.#viewer = viewer;
    this.#audio.muted = remembered();
    this.#mute.addEventListener("click", () => this.#toggle());
    this.#speak.addEventListener("click", () => void this.#microphone());
    for (const kind of /** @type {const} */ (["changed", "rung", "seats"])) viewer.on(kind, () => this.#follow());
    // A browser plays nothing before the user has touched the page.
    for (const type of ["pointerdown", "keydown"]) {
      window.addEventListener(type, () => this.#play(), { capture: true, passive: true });
    }
    this.#follow();
  }

  /** True while the microphone is open, though nobody may hear it just now. */
  get speaking() {
    return this.#track !== null;
  }

  #follow() {
    const sound = this.#viewer.webrtc?.sound ?? null;
    if (this.#audio.srcObject !== sound) {
      this.#audio.srcObject = sound;
      this.#play();
    }
    this.#mute.hidden = !sound;
    this.#mute.setAttribute("aria-pressed", String(!this.#audio.muted));
    setText(this.#mute, this.#audio.muted ? "Sound is off" : "Sound is on");
    this.#followMicrophone();
  }

  #followMicrophone() {
    const { webrtc, seats, pinned, state } = this.#viewer;
    const takes = Boolean(webrtc?.maySpeak);
    const fate = fateOf({ webrtc: Boolean(webrtc), takes, drives: seats.drives, pinned, over: state === "over" });
    if (fate === "shut") this.#hush();
    if (this.#track) this.#track.enabled = fate === "sent";
    if (webrtc && this.#told !== webrtc) webrtc.speak(this.#track);
    this.#told = webrtc;
    const waits = this.#track && fate === "waits";
    this.#speak.hidden = !takes && !waits;
    this.#speak.setAttribute("aria-pressed", String(this.speaking));
    setText(this.#speak, waits ? "Microphone waits for WebRTC" : this.speaking ? "Microphone is on" : "Microphone is off");
  }

  #play() {
    if (this.#audio.srcObject && this.#audio.paused) this.#audio.play().catch(() => {});
  }

  #toggle() {
    this.#audio.muted = !this.#audio.muted;
    try {
      localStorage.setItem(REMEMBERED, this.#audio.muted ? "yes" : "");
    } catch {
      // It is not remembered then.
    }
    this.#follow();
  }

  async #microphone() {
    if (this.#track) {
      this.#hush();
      return this.#follow();
    }
    const stream = await navigator.mediaDevices?.getUserMedia({ audio: true }).catch(() => null);
    const track = stream?.getAudioTracks()[0];
    if (!track) return setText(this.#speak, "No microphone");
    this.#track = track;
    track.addEventListener("ended", () => {
      this.#hush();
      this.#follow();
    });
    this.#viewer.webrtc?.speak(track);
    return this.#follow();
  }

  #hush() {
    this.#track?.stop();
    this.#track = null;
    this.#viewer.webrtc?.speak(null);
  }
}

function remembered() {
  try {
    return localStorage.getItem(REMEMBERED) === "yes";
  } catch {
    return false;
  }
}
