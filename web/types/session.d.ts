/** Sessions, what they keep, and who is in them; docs/reference/http.md. Times are Unix milliseconds. */

import type { Rung } from "./picture";

export type SessionState = "requested" | "creating" | "booting" | "ready" | "stopping" | "ended" | "failed";

export type SigninStage = "pending" | "starting" | "waiting" | "saving" | "done" | "failed" | "cancelled";

export type Stage =
  | "accepted" | "machine" | "claimed" | "guest" | "display" | "desktop" | "browser" | "ready" | "first_frame";

export interface Saved {
  names: string[];
  expires_at: number | null;
}

export interface Signin {
  flow: string;
  provider: string;
  stage: SigninStage;
  url: string | null;
  user_code: string | null;
  message: string;
  saved: Saved | null;
}

export interface Session {
  id: string;
  state: SessionState;
  reason: string | null;
  detail: string;
  provider: string | null;
  driver: string;
  machine: string;
  /** Its machine came from the warm pool. */
  warm: boolean;
  attempt: number;
  /** Why the machine before this one was given up. */
  retried: string;
  created_at: number;
  expires_at: number;
  idle_at: number;
  width: number;
  height: number;
  warnings: string[];
  /** Milliseconds since the request, for each stage that was reached. */
  timeline: Partial<Record<Stage, number>>;
  signin: Signin | null;
  page: string;
  sequence: number;
}

export interface DesktopFile {
  name: string;
  size: number;
  modified_at: number;
}

export interface DesktopFiles {
  policy: "off" | "up" | "down" | "both";
  most_bytes: number;
  files: DesktopFile[];
  /** There are files which cannot be shown. */
  more: boolean;
}

export interface RecordedSegment {
  number: number;
  at: number;
  duration_ms: number;
  width: number;
  height: number;
  bytes: number;
}

export interface Recorded {
  session: string;
  policy: "off" | "ask" | "always";
  state: "off" | "on" | "paused";
  why: "shown" | "silent" | "starting" | "recorder" | "full" | null;
  unwatched: boolean;
  started_at: number | null;
  ended_at: number | null;
  bytes: number;
  most_bytes: number;
  segments: RecordedSegment[];
}

/** A line of a recording's timeline; which figures it has is its kind's. */
export interface TimelineLine {
  at_ms: number;
  kind: "start" | "stop" | "pause" | "segment" | "input" | "rung" | "quality" | "freeze" | "unwatched" | "dropped" | "lost" | "full";
  why?: string;
  rung?: Rung;
  viewer?: string;
  keys?: number;
  buttons?: number;
  wheel?: number;
  kbps?: number;
  fps?: number;
  /** Of a viewer's picture that stood still: for so long of so many milliseconds, which end then. */
  frozen_ms?: number;
  span_ms?: number;
  freezes?: number;
  /** Of what was lost: to when. */
  until_ms?: number;
  /** Of a segment. */
  number?: number;
  duration_ms?: number;
  /** Of segments that went: the numbers of the first and the last. */
  first?: number;
  last?: number;
}

/** One viewer of a session. */
export interface Seat {
  peer: string;
  name: string;
  kind: "owner" | "ask" | "view";
  drives: boolean;
  asks: boolean;
}

export type SeatDeed = "here" | "leave" | "request" | "take" | "give" | "refuse";

/** A way into one session. `url` is there once, when it is made. */
export interface SessionLink {
  id: string;
  kind: "ask" | "view";
  label: string;
  created_at: number;
  expires_at: number | null;
  over: string | null;
  url: string | null;
}

/** Where the server takes what a viewer says; `screen` is null for one that may not resize. */
export interface Places {
  session: string;
  offer: string;
  answer: string;
  heartbeat: string;
  ice: string;
  seats: string;
  events: string;
  vnc: string;
  channel: string;
  screen: string | null;
  /** The page that looks why it does not connect. */
  connect: string;
}
