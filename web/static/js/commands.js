/** @import { Rungs } from "./rungs.js" */
/** @import { Screen } from "./screen.js" */
/** @import { Signal } from "./signal.js" */
/** @import { Vnc } from "./vnc.js" */
/** @import { WebRtc } from "./webrtc.js" */
/** @import { LadderCommand } from "../../types/model" */

/**
 * The ladder's commands, carried out on the rungs that live and on the screen.
 * A command for a rung that is gone meanwhile does nothing.
 */
export class Commands {
  #signal;
  #rungs;
  #screen;
  #on;

  /**
   * @param {Pick<Signal, "peer">} signal
   * @param {Pick<Rungs, "peer" | "vnc" | "openPeer" | "probe" | "closePeer" | "openVnc" | "closeVnc">} rungs
   * @param {Pick<Screen, "show" | "gone">} screen
   * @param {{ shown: (other: boolean) => void, gone: () => void }} on `shown`: another rung than before, or the
   *   same anew; `gone`: nothing is on the screen any more
   */
  constructor(signal, rungs, screen, on) {
    this.#signal = signal;
    this.#rungs = rungs;
    this.#screen = screen;
    this.#on = on;
  }

  /** @param {LadderCommand} command */
  obey(command) {
    switch (command.do) {
      case "open-peer":
        return void this.#rungs.openPeer(command.epoch, command.direct);
      case "ping":
        return this.#rungs.peer(command.epoch)?.ping();
      case "nudge":
        return void this.#rungs.peer(command.epoch)?.send("i");
      case "probe":
        return void this.#rungs.probe(`${this.#signal.peer}-look`, command.epoch);
      case "close-peer":
        return this.#gone(this.#rungs.closePeer(command.epoch));
      case "show-peer":
        return this.show(this.#rungs.peer(command.epoch));
      case "open-vnc":
        return this.#rungs.openVnc(command.vnc);
      case "ping-vnc":
        return this.#rungs.vnc(command.vnc)?.ping();
      case "close-vnc":
        return this.#gone(this.#rungs.closeVnc(command.vnc));
      case "show-vnc":
        return this.show(this.#rungs.vnc(command.vnc));
    }
  }

  /** Put a rung on the screen, if it has drawn. @param {WebRtc | Vnc | undefined} rung */
  show(rung) {
    if (!rung?.element) return;
    this.#on.shown(this.#screen.show(rung, rung.element));
  }

  /** @param {WebRtc | Vnc | undefined} rung closed a moment ago */
  #gone(rung) {
    if (this.#screen.gone(rung)) this.#on.gone();
  }
}
