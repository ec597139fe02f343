import { byId, setText } from "./elements.js";

/** @import { Viewer } from "./viewer.js" */

const REMEMBERED = "transom.silent";

/** The desktop's sound, of the peer that is on the screen alone, and the user's microphone where the machine takes it. */
export class SoundPanel {
  #viewer;
  #audio = new Audio();
  #mute = /** @type {HTMLButtonElement} */ (byId("sound"));
  #speak = /** @type {HTMLButtonElement} */ (byId("microphone"));
  /** @type {MediaStreamTrack | null} */
  #track = null;

  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.#viewer = viewer;
    this.#audio.muted = remembered();
    this.#mute.addEventListener("click", () => this.#toggle());
    this.#speak.addEventListener("click", () => void this.#microphone());
    viewer.on("changed", () => this.#follow());
    viewer.on("rung", () => this.#follow());
    // A browser plays nothing before the user has touched the page.
    for (const type of ["pointerdown", "keydown"]) {
      window.addEventListener(type, () => this.#play(), { capture: true, passive: true });
    }
    this.#follow();
  }

  /** True while the microphone is open. */
  get speaking() {
    return this.#track !== null;
  }

  #follow() {
    const sound = this.#viewer.webrtc?.sound ?? null;
    if (this.#audio.srcObject !== sound) {
      this.#audio.srcObject = sound;
      this.#play();
      this.#viewer.webrtc?.speak(this.#track);
    }
    this.#mute.hidden = !sound;
    this.#mute.setAttribute("aria-pressed", String(!this.#audio.muted));
    setText(this.#mute, this.#audio.muted ? "Sound is off" : "Sound is on");
    this.#speak.hidden = !this.#viewer.webrtc?.maySpeak;
    this.#speak.setAttribute("aria-pressed", String(this.speaking));
    setText(this.#speak, this.speaking ? "Microphone is on" : "Microphone is off");
    if (this.#speak.hidden) this.#hush();
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
