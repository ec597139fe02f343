import { byId, setText } from "./elements.js";
import { Microphone } from "./microphone.js";

/** @import { Viewer } from "./viewer.js" */

const REMEMBERED = "transom.silent";
const MICROPHONE = { shut: "Microphone is off", asked: "Microphone is asked for", open: "Microphone is on", refused: "No microphone" };

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
  #microphone = new Microphone(askForOne, () => this.#follow());
  /** What was given to be sent, and to which rung. @type {unknown[]} */
  #told = [null, null];

  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.#viewer = viewer;
    this.#audio.muted = remembered();
    this.#mute.addEventListener("click", () => this.#toggle());
    this.#speak.addEventListener("click", () => this.#microphone.toggle());
    window.addEventListener("pagehide", () => this.#microphone.shut());
    for (const kind of /** @type {const} */ (["changed", "rung", "seats"])) viewer.on(kind, () => this.#follow());
    // A browser plays nothing before the user has touched the page.
    for (const type of ["pointerdown", "keydown"]) {
      window.addEventListener(type, () => this.#play(), { capture: true, passive: true });
    }
    this.#follow();
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
    if (fate === "shut") this.#microphone.shut();
    const { track, state: its } = this.#microphone;
    if (track) track.enabled = fate === "sent";
    if (webrtc && (this.#told[0] !== webrtc || this.#told[1] !== track)) webrtc.speak(track);
    this.#told = [webrtc, track];
    const kept = fate === "waits" && (its === "open" || its === "asked");
    this.#speak.hidden = !takes && !kept;
    this.#speak.setAttribute("aria-pressed", String(its === "open"));
    setText(this.#speak, kept && track ? "Microphone waits for WebRTC" : MICROPHONE[its]);
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
}

/** @returns {Promise<MediaStreamTrack | null>} */
async function askForOne() {
  const stream = await navigator.mediaDevices?.getUserMedia({ audio: true });
  return stream?.getAudioTracks()[0] ?? null;
}

function remembered() {
  try {
    return localStorage.getItem(REMEMBERED) === "yes";
  } catch {
    return false;
  }
}
