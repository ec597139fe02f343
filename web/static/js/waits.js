/** Every wait of the signal, in milliseconds. */
export const WAITS = Object.freeze({
  /** A WebSocket that does not open in this time is given up. */
  openMs: 5000,
  /** An offer waits this long for a WebSocket that is just opening, then goes by HTTP. */
  offerMs: 800,
  /** Both sides speak every 10 s; a socket silent for this long is dead. */
  silentMs: 30_000,
  /** One that may be dead is asked, and given up when it says nothing in this time. */
  doubtMs: 2000,
  /** An offer goes without a question by a socket that said something so lately. */
  livelyMs: 1000,
  /** The server holds a question for an answer this long. */
  answerMs: 10_000,
  /** How often the session is asked for while there is no WebSocket. */
  pollMs: 1000,
  /** Longer the server asks nobody to wait with the next offer. */
  patienceMs: 900_000,
  again: Object.freeze({ firstMs: 300, mostMs: 5000 }),
});

/** Why every peer of the machine is dead: its stream server is. */
export const SERVER_DIED = "stream_server_died";

/** Why an offer is not taken: there were too many; the server says when the next may come. */
export const TOO_MANY = "too_many";
