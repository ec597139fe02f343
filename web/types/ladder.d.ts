/** What goes into the ladder and the signal, and what comes out of them. */

import type { OwnExit } from "./operation";
import type { Seat, Session } from "./session";

/** What goes into the ladder. `now` is milliseconds of any steady clock. */
export type LadderEvent = { now: number } & (
  | { type: "ready" }
  | { type: "over" }
  | { type: "choose"; rung: "webrtc" | "vnc" }
  | { type: "signal"; up: boolean }
  /** `waitMs`: so long the server wants no other offer. */
  | { type: "refused"; epoch: number; code?: string; early?: boolean; waitMs?: number }
  | { type: "connection"; epoch: number; state: RTCPeerConnectionState }
  | { type: "picture"; epoch: number; relay: boolean }
  | { type: "frame"; epoch: number }
  | { type: "relay"; epoch: number; relay: boolean }
  /** The guest said something: the answer to a ping, or that it sent a changed picture, or else. */
  | { type: "heard"; epoch: number; pong: boolean; sent: boolean; rests: boolean }
  /** A look beside the relay ended: there is a direct way, or not. */
  | { type: "probed"; direct: boolean }
  | { type: "vnc-picture"; vnc: number }
  | { type: "vnc-closed"; vnc: number }
  /** What it was asked last was answered; or something came, as it does while a long text keeps the answer; or nobody is there to answer, though it may be live. */
  | { type: "vnc-heard"; vnc: number; what: "answer" | "picture" | "nobody" }
  | { type: "visible"; visible: boolean }
  | { type: "network" }
  | { type: "leave" }
  | { type: "return" }
  | { type: "tick" }
);

/** An event of the ladder before its time is known. */
export type Happening = LadderEvent extends infer E ? (E extends LadderEvent ? Omit<E, "now"> : never) : never;

/** What comes out of it. */
export type LadderCommand =
  | { do: "open-peer"; epoch: number; direct: boolean }
  | { do: "ping"; epoch: number }
  /** Ask for a key frame. */
  | { do: "nudge"; epoch: number }
  /** See whether there is a direct way, beside the relay; told by `probed`. */
  | { do: "probe"; epoch: number }
  | { do: "close-peer"; epoch: number }
  | { do: "show-peer"; epoch: number }
  | { do: "open-vnc"; vnc: number }
  | { do: "ping-vnc"; vnc: number }
  | { do: "close-vnc"; vnc: number }
  | { do: "show-vnc"; vnc: number };

/** What the signal tells the page. */
export type SignalEvent =
  | { type: "session"; session: Session }
  | { type: "answer"; epoch: number; sdp: string }
  | { type: "exit"; exit: OwnExit }
  | { type: "seats"; viewers: Seat[] }
  | { type: "link-over"; why: string }
  | { type: "refused"; epoch: number; code: string; message: string; early?: boolean; waitMs?: number }
  | { type: "reachable"; up: boolean }
  | { type: "missing" }
  | { type: "signed-out" };
