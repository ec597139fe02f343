/** @import { Viewer } from "./viewer.js" */

/**
 * `window.transom`: what scripts and people who measure may rely on; described in the HTTP reference.
 * @param {Viewer} viewer
 */
export function publish(viewer) {
  const surface = Object.freeze({
    get state() {
      return viewer.state;
    },
    get rung() {
      return viewer.rung;
    },
    get epoch() {
      return viewer.epoch;
    },
    /** Lock the pointer: only while a click is fresh. */
    lock: async () => viewer.webrtc?.input.lock(),
    stats: () => viewer.stats(),
    /** @param {"vnc" | "webrtc"} rung */
    use(rung) {
      if (rung !== "vnc" && rung !== "webrtc") throw new TypeError('use("vnc") or use("webrtc")');
      viewer.use(rung);
    },
  });
  Object.defineProperty(window, "transom", { value: surface });
}
