import { setText } from "./elements.js";
import { preferPointer, prefersPointer } from "./touch.js";

/** @import { Viewer } from "./viewer.js" */

/** The button that says what fingers are: only where there are fingers, and a desktop that takes them. */
export class TouchChoice {
  #viewer;
  #button;

  /** @param {Viewer} viewer @param {HTMLElement} button */
  constructor(viewer, button) {
    this.#viewer = viewer;
    this.#button = button;
    button.addEventListener("click", () => this.#turn());
    viewer.on("changed", () => this.#show());
    viewer.on("message", (message) => message[0] === "touch" && this.#show());
    this.#show();
  }

  #turn() {
    preferPointer(!prefersPointer());
    this.#viewer.webrtc?.input.touch?.prefer(prefersPointer());
    this.#show();
    this.#viewer.focus();
  }

  #show() {
    this.#button.hidden = !this.#viewer.webrtc?.input.touch;
    this.#button.setAttribute("aria-pressed", String(!prefersPointer()));
    setText(this.#button, prefersPointer() ? "Fingers: pointer" : "Fingers: touch");
  }
}
