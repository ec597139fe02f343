/** @import { Gesture, Touch } from "../../types/model" */

/** A finger that moved less has not moved. CSS pixels. */
const SLOP = 10;
/** Down this long without a move: held. */
export const HOLD_MS = 500;
/** A second tap this soon after the first, this near it, is the second half of a double one. */
const AGAIN_MS = 350;
const AGAIN_PX = 40;
/** Two fingers that parted or moved this much have said what they want. CSS pixels. */
const PAIR_SLOP = 24;
/** One step of zoom is one notch with Control held; browsers make a tenth of it, or a little more. */
const STEP = Math.log(1.1);

/**
 * Fingers in, the pointer's doings out. Pure; places are in any pixels, times in milliseconds.
 *
 * A tap is a click, two are a double click at one place. Held and let go: the right button. Held, or tapped before,
 * and then moved: a drag with the left button, which selects. One finger that moves scrolls, and stops as it lifts.
 * Two fingers that part or close zoom, side by side they scroll, and a tap of both is the right button.
 */
export class Gestures {
  /** @type {Map<number, { x: number, y: number }>} */
  #fingers = new Map();
  /** @type {"idle" | "touching" | "held" | "scrolling" | "dragging" | "pair" | "zooming" | "panning" | "done"} */
  #state = "idle";
  #from = { x: 0, y: 0 };
  #began = 0;
  #tap = { x: 0, y: 0, at: -Infinity };
  #again = false;
  #spread = 0;
  #centre = { x: 0, y: 0 };

  /** @param {Touch} touch @returns {Gesture[]} */
  handle(touch) {
    const { type, id, x, y, at } = touch;
    if (type === "down") return this.#down(id, { x, y }, at);
    if (!this.#fingers.has(id)) return [];
    if (type === "move") return this.#move(id, { x, y });
    this.#fingers.delete(id);
    const done = type === "up" ? this.#up({ x, y }, at) : this.#cancel({ x, y });
    if (!this.#fingers.size) this.#state = "idle";
    return done;
  }

  /** Time passed. @param {number} at @returns {boolean} true as a finger begins to count as held */
  tick(at) {
    if (this.#state !== "touching" || at - this.#began < HOLD_MS) return false;
    this.#state = "held";
    return true;
  }

  /** @param {number} id @param {{ x: number, y: number }} place @param {number} at @returns {Gesture[]} */
  #down(id, place, at) {
    this.#fingers.set(id, place);
    if (this.#fingers.size === 1) {
      this.#again = at - this.#tap.at < AGAIN_MS && distance(place, this.#tap) < AGAIN_PX;
      this.#from = this.#again ? { x: this.#tap.x, y: this.#tap.y } : place;
      this.#began = at;
      this.#state = "touching";
    } else if (this.#fingers.size === 2 && ["touching", "held", "scrolling"].includes(this.#state)) {
      this.#state = "pair";
      this.#began = at;
      ({ spread: this.#spread, centre: this.#centre } = this.#pair());
    }
    return [];
  }

  /** @param {number} id @param {{ x: number, y: number }} place @returns {Gesture[]} */
  #move(id, place) {
    const before = this.#fingers.get(id) ?? place;
    this.#fingers.set(id, place);
    switch (this.#state) {
      case "touching":
      case "held":
        return distance(place, this.#from) < SLOP ? [] : this.#set(place);
      case "scrolling":
        return [scroll(this.#from, before, place)];
      case "dragging":
        return [{ do: "move", ...place }];
      case "pair":
      case "zooming":
      case "panning":
        return this.#movePair();
    }
    return [];
  }

  /** The first move of one finger says what it is. @param {{ x: number, y: number }} place @returns {Gesture[]} */
  #set(place) {
    if (this.#state === "held" || this.#again) {
      this.#state = "dragging";
      return [{ do: "press", button: 1, ...this.#from }, { do: "move", ...place }];
    }
    this.#state = "scrolling";
    return [scroll(this.#from, this.#from, place)];
  }

  /** @param {{ x: number, y: number }} place @param {number} at @returns {Gesture[]} */
  #up(place, at) {
    const state = this.#state;
    this.#state = "done";
    if (state === "dragging") return [{ do: "release", button: 1, ...place }];
    if (state === "held") return click(3, this.#from);
    if (state === "pair") return at - this.#began < HOLD_MS ? click(3, this.#centre) : [];
    if (state !== "touching") return [];
    this.#tap = { ...this.#from, at: this.#again ? -Infinity : at };
    return click(1, this.#from);
  }

  /** The browser took the finger away. @param {{ x: number, y: number }} place @returns {Gesture[]} */
  #cancel(place) {
    const dragging = this.#state === "dragging";
    this.#state = "done";
    return dragging ? [{ do: "release", button: 1, ...place }] : [];
  }

  #pair() {
    const [one, two] = [...this.#fingers.values()];
    if (!one || !two) return { spread: this.#spread, centre: this.#centre };
    const centre = { x: (one.x + two.x) / 2, y: (one.y + two.y) / 2 };
    return { spread: Math.max(distance(one, two), 1), centre };
  }

  /** @returns {Gesture[]} */
  #movePair() {
    const { spread, centre } = this.#pair();
    if (this.#state === "pair") this.#choose(spread, centre);
    if (this.#state === "zooming") {
      const steps = Math.trunc(Math.log(spread / this.#spread) / STEP) + 0;
      if (!steps) return [];
      this.#spread *= Math.exp(steps * STEP);
      return [{ do: "zoom", steps, ...this.#centre }];
    }
    if (this.#state !== "panning") return [];
    const moved = scroll(this.#from, this.#centre, centre);
    this.#centre = centre;
    return [moved];
  }

  /** @param {number} spread @param {{ x: number, y: number }} centre */
  #choose(spread, centre) {
    if (Math.abs(spread - this.#spread) > PAIR_SLOP) this.#state = "zooming";
    else if (distance(centre, this.#centre) > PAIR_SLOP) this.#state = "panning";
  }
}

/** @param {{ x: number, y: number }} at @param {{ x: number, y: number }} before @param {{ x: number, y: number }} now @returns {Gesture} */
function scroll(at, before, now) {
  // The content follows the finger: up with it is further down in the text.
  return { do: "scroll", ...at, dx: before.x - now.x, dy: before.y - now.y };
}

/** @param {1 | 3} button @param {{ x: number, y: number }} place @returns {Gesture[]} */
function click(button, place) {
  return [{ do: "press", button, ...place }, { do: "release", button, ...place }];
}

/** @param {{ x: number, y: number }} a @param {{ x: number, y: number }} b */
function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
