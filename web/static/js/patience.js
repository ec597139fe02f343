/** @import { Viewer } from "./viewer.js" */

/** A machine that is ready, and no picture for this long: the page offers to look why. */
const SLOW_MS = 6000;

/** Tell each time whether the picture has been long in coming. @param {Viewer} viewer @param {(slow: boolean) => void} tell */
export function watchPatience(viewer, tell) {
  viewer.on("changed", () => {
    if (viewer.state === "connecting") setTimeout(() => tell(viewer.state === "connecting"), SLOW_MS);
  });
}
