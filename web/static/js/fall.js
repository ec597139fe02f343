import { LIMITS } from "./limits.js";

/** @import { Attempt } from "./attempt.js" */

/**
 * The peer on the screen, if any, and when there was a picture last.
 * @typedef {{ peer: Attempt | null, downSince: number, now: number, awake: number }} Fall
 */

/** True when noVNC should be prepared, unseen. @param {Fall} fall */
export function prepares({ peer, downSince, now, awake }) {
  if (peer?.pulse.suspect(awake) || (peer?.dead && now - peer.deadAt >= LIMITS.deadPrepareMs)) return true;
  return now - downSince >= LIMITS.prepareMs;
}

/** True when noVNC should be on the screen. @param {Fall} fall */
export function falls({ peer, downSince, now, awake }) {
  if (peer?.fresh(awake)) return false;
  if (peer?.pulse.silent(awake) || (peer?.dead && now - peer.deadAt >= LIMITS.deadShowMs)) return true;
  return now - downSince >= LIMITS.fallMs;
}
