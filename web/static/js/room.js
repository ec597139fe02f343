import { wantedSize } from "./scale.js";

/** What the session page takes for itself, in CSS pixels; as in session.css. */
const BAR = 56;
const SIDE = 336;
/** Below this width the side lies under the picture. */
const NARROW = 960;
const MOST = Object.freeze({ width: 3840, height: 2160 });

/**
 * The desktop size that will fit the session page in this window, so that a new desktop need not be resized.
 * @param {{ innerWidth: number, innerHeight: number }} window
 */
export function roomOfSession({ innerWidth, innerHeight }) {
  const side = innerWidth > NARROW ? SIDE : 0;
  const width = Math.min(innerWidth - side, MOST.width);
  return wantedSize({ width, height: Math.min(innerHeight - BAR, MOST.height) }) ?? {};
}
