import { byId, setText } from "./elements.js";

/** @import { Viewer } from "./viewer.js" */

/** The buttons above a desktop, the ways past it by keys, and the chord that takes the keyboard back: of each page that shows one. */
export class Controls {
  #viewer;
  #stage;
  #open = button("open-webrtc");
  #vnc = button("use-vnc");
  #paste = button("paste");
  #lock = button("lock");
  #keyboard = button("keyboard");
  #full = button("full-screen");

  /** @param {Viewer} viewer @param {HTMLElement} stage @param {(text: string) => void} say on the picture, for a while */
  constructor(viewer, stage, say) {
    this.#viewer = viewer;
    this.#stage = stage;
    this.#open.addEventListener("click", () => viewer.use("webrtc"));
    this.#vnc.addEventListener("click", () => viewer.use(viewer.pinned ? "webrtc" : "vnc"));
    this.#paste.addEventListener("click", () => void paste(viewer, say));
    this.#lock.addEventListener("click", () => void viewer.webrtc?.input.lock().catch(() => {}));
    this.#keyboard.addEventListener("click", () => this.#raise());
    this.#full.addEventListener("click", () => void this.#fullScreen());
    byId("skip").addEventListener("click", () => byId("side").focus());
    window.addEventListener("keydown", (event) => this.#takeKeyboardBack(event), { capture: true });
    for (const kind of /** @type {const} */ (["changed", "rung", "seats"])) viewer.on(kind, () => this.show());
    this.show();
  }

  show() {
    const { rung, pinned, session, state, seats, webrtc, keyboard } = this.#viewer;
    const over = state === "over";
    const drives = Boolean(rung) && seats.drives && !over;
    this.#open.disabled = this.#vnc.disabled = over || session?.state !== "ready";
    this.#paste.disabled = this.#keyboard.disabled = !drives;
    this.#lock.disabled = !drives || !webrtc;
    this.#full.disabled = over || !rung;
    // who only ever watches has no use for them
    for (const one of [this.#paste, this.#lock, this.#keyboard]) one.hidden = seats.own?.kind === "view";
    this.#open.setAttribute("aria-pressed", String(rung === "webrtc" || rung === "webrtc-relay"));
    this.#vnc.setAttribute("aria-pressed", String(rung === "vnc"));
    this.#keyboard.setAttribute("aria-pressed", String(keyboard));
    setText(this.#vnc, pinned ? "Use WebRTC" : "Use noVNC");
    this.#stage.classList.toggle("lost", state === "lost");
  }

  #raise() {
    this.#viewer.raiseKeyboard(!this.#viewer.keyboard);
    this.show();
  }

  async #fullScreen() {
    if (document.fullscreenElement) return document.exitFullscreen();
    await this.#stage.requestFullscreen({ navigationUI: "hide" });
    // Escape and the like belong to the desktop then; only some browsers can do this.
    await /** @type {any} */ (navigator).keyboard?.lock?.().catch(() => {});
    return this.#viewer.focus();
  }

  /** Guacamole's chord: the one that takes the keyboard back. @param {KeyboardEvent} event */
  #takeKeyboardBack(event) {
    if (!(event.ctrlKey && event.altKey && event.shiftKey) || !this.#stage.contains(document.activeElement)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.#vnc.focus();
  }
}

/** @param {Viewer} viewer @param {(text: string) => void} say */
async function paste(viewer, say) {
  const clipboard = await import("./clipboard.js");
  await clipboard.paste(viewer, say);
}

/** @param {string} id */
function button(id) {
  return /** @type {HTMLButtonElement} */ (byId(id));
}
