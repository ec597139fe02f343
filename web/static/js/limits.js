/** Every wait of the ladder, in milliseconds. */
export const LIMITS = Object.freeze({
  /** No WebRTC picture for this long, at first or after a loss: noVNC is shown. */
  fallMs: 5000,
  /** noVNC is prepared unseen this early, so that it can be shown when `fallMs` is over. */
  prepareMs: 4000,
  /** The guest repeats its picture every 2 s; without one for this long a new peer is tried beside the old. */
  staleMs: 3000,
  /** A peer without a picture is given up after this; noVNC is on the screen by then. */
  tryMs: 15_000,
  /** A noVNC connection without a picture is given up after this. */
  vncTryMs: 8000,
  /** A peer that broke sooner than this after its start counts as a failed try: no quick loop of rebuilds. */
  steadyMs: 10_000,
  /** Pictures that stay black for this long count all the same: the desktop may be black. */
  blackMs: 3000,
  /** Ticks further apart than this mean that the computer slept. */
  jumpMs: 6000,
  climb: Object.freeze({ firstMs: 2000, mostMs: 60_000 }),
  vnc: Object.freeze({ firstMs: 500, mostMs: 5000 }),
});
