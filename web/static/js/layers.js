/** @import { Size } from "../../types/model" */

/**
 * The place of the picture: layers on top of each other, one of them seen. The element that shows the
 * picture is always the one, and the only one, with the id `screen`.
 */
export class Layers {
  #root;
  /** @type {HTMLElement} */
  #shown;
  #watching = false;

  /** @param {HTMLElement} root holds an element `#screen` already, which stands for no picture */
  constructor(root) {
    this.#root = root;
    this.#shown = /** @type {HTMLElement} */ (root.querySelector("#screen"));
  }

  /** A new layer, unseen but alive: hidden elements would not draw. */
  add() {
    const layer = document.createElement("div");
    layer.className = "layer";
    layer.inert = true;
    this.#root.append(layer);
    return layer;
  }

  /**
   * Let this layer be seen, and its element be the screen.
   * @param {HTMLElement} layer
   * @param {HTMLElement} element
   */
  show(layer, element) {
    const hadFocus = document.activeElement === document.body || this.#root.contains(document.activeElement);
    this.#shown.removeAttribute("id");
    this.#shown.hidden = this.#shown.parentElement === this.#root;
    element.id = "screen";
    element.setAttribute("aria-label", "Remote desktop");
    this.#shown = element;
    for (const other of this.#root.querySelectorAll(".layer")) other.classList.toggle("seen", other === layer);
    layer.inert = this.#watching;
    return hadFocus;
  }

  /** Who only watches has a picture that takes neither keys nor pointer. @param {boolean} watching */
  watch(watching) {
    this.#watching = watching;
    for (const layer of this.#root.querySelectorAll(".layer.seen")) /** @type {HTMLElement} */ (layer).inert = watching;
  }

  /** Take a layer away. When it is the seen one, no picture is left. @param {HTMLElement} layer */
  remove(layer) {
    if (layer.contains(this.#shown)) this.#showNothing();
    layer.remove();
  }

  /** The room there is, in CSS pixels. @returns {Size} */
  size() {
    return { width: this.#root.clientWidth, height: this.#root.clientHeight };
  }

  #showNothing() {
    this.#shown.removeAttribute("id");
    const nothing = document.createElement("canvas");
    nothing.id = "screen";
    nothing.hidden = true;
    this.#root.prepend(nothing);
    this.#shown = nothing;
  }
}
