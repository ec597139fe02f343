/** Every wait of the ladder, in milliseconds. */
export const LIMITS = Object.freeze({
  /** No WebRTC picture for this long, at first or after a loss: noVNC is shown. */
  fallMs: 4700,
  /** noVNC is prepared unseen this early, so that it can be shown when `fallMs` is over. */
  prepareMs: 3900,
  /** The guest repeats its picture every 2 s; without one for this long a new peer is tried beside the old. */
  staleMs: 3000,
  /** A peer that answers pings: a key frame is asked for when a repeat is late by so much, and it is frozen after this. */
  nudgeMs: 2500,
  nudgeEachMs: 600,
  frozenMs: 4100,
  /** A peer without a picture is given up after this; noVNC is on the screen by then. */
  tryMs: 15_000,
  /** A noVNC connection without a picture is given up after this. */
  vncTryMs: 8000,
  /** A peer that broke sooner than this after its start counts as a failed try, and the second of them is waited for: no quick loop of rebuilds. */
  steadyMs: 10_000,
  /** Pictures that stay black for this long count all the same: the desktop may be black. */
  blackMs: 3000,
  /**
   * What is typed while a peer is in doubt, or was and did not arrive, waits for whichever rung comes, so long, and so many messages; else
   * it is dropped, and said. The guest is asked for an acknowledgement each `acknowledgeMs` while something is typed, and is waited for `askMs`
   * when a new rung asks it how much it took by the one before. What went by RFB, which nobody acknowledges, `doubtMs` before it broke is in doubt.
   * What is typed into a new noVNC waits for its channel so long (`awaitMs`).
   */
  gap: Object.freeze({ keepMs: 5000, most: 1024, acknowledgeMs: 500, askMs: 1500, doubtMs: 1000, awaitMs: 2000 }),
  /**
   * A live picture that turns black: the guest is asked whether its desktop is, after `passingMs` and each `askMs`, so often
   * without an answer; while it says no, a key frame is asked for each `nudgeMs`, and after `brokenMs` the peer is given up.
   */
  black: Object.freeze({ lookMs: 1000, passingMs: 500, askMs: 1000, unanswered: 5, nudgeMs: 800, brokenMs: 3000 }),
  /** A new connection's pictures are decoded and none is drawn, so long and at so many looks: another is made. A page's thread that is busy looks later. */
  unshown: Object.freeze({ lookMs: 120, looks: 4, brokenMs: 450 }),
  /** How often the ladder looks, and while a peer is in doubt. */
  tickMs: 200,
  hurriedTickMs: 50,
  /** Events further apart than this: the page's thread was busy, and what waits in its queue is not judged as silence. */
  gapMs: 500,
  /** Nothing heard for this long: a ping. A still picture costs two pings a second. */
  pingMs: 400,
  /** Unanswered for longer than the round trip takes, and so long, pings follow this often: 10 % loss each way takes nine in a row once in 3 million. */
  hurry: Object.freeze({ leastMs: 500, mostMs: 650, slackMs: 60, trips: 1 }),
  hurryEachMs: 50,
  /** This long unanswered, round trips counted in (the first ping may be lost), and so many pings: noVNC is prepared, and what is typed waits. */
  suspect: Object.freeze({ leastMs: 700, mostMs: 1200, slackMs: 200, trips: 2 }),
  suspectPings: 6,
  /** This long unanswered, and so many pings: the peer is cut off. Not under a bad mobile network's round trip. */
  silentMs: 1200,
  silentPings: 10,
  /**
   * The way to a peer whose pictures come, which answers alone tell of: asked each `pingMs`, and each `hurryEachMs` once an answer is
   * late. Unanswered for so long, and so many pings, it is in doubt, or cut: 30 % loss each way does that by chance once in a year of it.
   */
  up: Object.freeze({ pingMs: 1000, hurryMs: 700, hurryEachMs: 75, suspectMs: 1500, suspectPings: 8, silentMs: 2500, silentPings: 18 }),
  /** A noVNC on the screen is asked so often; what is typed waits while it has not answered for so long, then it stands still, and another is opened. */
  still: Object.freeze({ pingMs: 1000, doubtMs: 1200, lostMs: 3500 }),
  /** A guest that answered none of so many pings knows none. */
  pingsWasted: 25,
  /** The guest says it sent a changed picture, and none came in this time: it is frozen. */
  owedMs: 1500,
  /** A promise may arrive this long after its picture. */
  owedSlackMs: 500,
  /** A peer that ended is replaced in a quarter of a second; noVNC is prepared, and shown, when it is not. */
  deadPrepareMs: 300,
  deadShowMs: 1000,
  /** The picture from below stays until the better one has run for this long; twice as long after each that broke soon. */
  proveMs: 1000,
  proveMostMs: 16_000,
  /** The way without a relay is tried beside the relay. */
  probe: Object.freeze({ firstMs: 20_000, mostMs: 600_000 }),
  /** After a change of network sooner. */
  probeSoonMs: 2000,
  /** A network, server or page that returns lets what failed be tried at once; but so often, in so long, no more: it flaps. */
  returns: Object.freeze({ most: 2, inMs: 60_000 }),
  /** Ticks further apart than this mean that the computer slept. */
  jumpMs: 6000,
  climb: Object.freeze({ firstMs: 2000, mostMs: 60_000 }),
  vnc: Object.freeze({ firstMs: 500, mostMs: 5000 }),
});
