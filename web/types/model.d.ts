/** The shapes of docs/reference/http.md and channels.md. Times are Unix milliseconds. */

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
  started_at: number | null;
  ended_at: number | null;
  bytes: number;
  most_bytes: number;
  segments: RecordedSegment[];
}

/** A line of a recording's timeline; which figures it has is its kind's. */
export interface TimelineLine {
  at_ms: number;
  kind: "start" | "stop" | "pause" | "segment" | "input" | "rung" | "quality";
  rung?: Rung;
  viewer?: string;
  keys?: number;
  buttons?: number;
  wheel?: number;
  kbps?: number;
}

export interface Machine {
  id: string;
  driver: string;
  image: string;
  slot: number;
  phase: "making" | "parked" | "claimed" | "ready" | "leaving" | "over";
  phase_since: number;
  made_at: number;
  session: string | null;
  warm: boolean;
  stages: Record<string, number>;
  ended_at: number | null;
  outcome: "used" | "failed" | "lost" | "cancelled" | "unused" | null;
  failed_stage: string;
  cause: string;
  usage: Record<string, number>;
}

export interface Pool {
  least: number;
  most: number;
  target: number;
  making: number;
  parked: number;
  memory_bytes: number;
  hits: number;
  misses: number;
  failures: number;
  last_failure: string;
}

export interface Funnel {
  driver: string;
  warm: boolean;
  outcome: string;
  failed_stage: string;
  count: number;
}

export interface Machines {
  pool: Pool;
  funnel: Funnel[];
  machines: Machine[];
}

export interface Provider {
  id: string;
  name: string;
  title: string;
}

export interface Me {
  id: string;
  name: string;
  role: "administrator" | "user";
}

export interface Credential {
  provider: string;
  names: string[];
  created_at: number;
  expires_at: number | null;
}

export interface Token {
  id: string;
  label: string;
  created_at?: number;
  last_used_at?: number | null;
}

export interface User {
  id: string;
  name: string;
  role: "administrator" | "user";
}

export interface IceServers {
  ice_servers: RTCIceServer[];
  ttl_s: number;
}

export interface Description {
  peer: string;
  epoch: number;
  sdp: string;
}

export type Rung = "webrtc" | "webrtc-relay" | "vnc";

/** What `window.transom.stats()` resolves to; null is what this rung cannot measure. */
export interface Stats {
  fps: number;
  kbps: number;
  rtt_ms: number | null;
  jitter_ms: number | null;
  loss: number | null;
  /** Pictures drawn since this rung began. */
  frames: number;
  width: number;
  height: number;
  /** The part of the decoded frames that was not drawn, 0 to 1, and what decoding one took. */
  undrawn: number | null;
  decode_ms: number | null;
  /** Since this rung began. */
  freezes: number | null;
  frozen_ms: number | null;
  /** Both ends of the selected candidate pair, and how packets leave this browser. */
  local: CandidateKind | null;
  remote: CandidateKind | null;
  transport: Transport | null;
  decoder: string | null;
  target_kbps: number | null;
  target_fps: number | null;
  /** Percent of the desktop's size that is sent. */
  scale: number | null;
  cause: "start" | "loss" | "delay" | "probe" | "limit" | null;
  /** From an input to the first picture that shows what it did, and its parts. */
  latency_ms: number | null;
  latency: Latency | null;
}

export type CandidateKind = "host" | "srflx" | "prflx" | "relay";
export type Transport = "udp" | "tcp" | "tls";
/** What the guest aims at. */
export type Target = Pick<Stats, "target_kbps" | "target_fps" | "scale" | "cause">;

/** Waiting for the desktop, the grab, the encoder, and all that follows. */
export interface Latency {
  act_ms: number;
  grab_ms: number;
  send_ms: number;
  rest_ms: number;
}

/** Some seconds on one rung. What was not known is left out. */
export interface Summary {
  seconds: number;
  rung: Rung;
  freezes?: number;
  frozen_ms?: number;
  latencies_ms?: number[];
  [figure: string]: unknown;
}

export interface QualityRow {
  at: number;
  seconds: number;
  rung: Rung;
  figures: Record<string, number>;
  words: Record<string, string>;
}

export interface SessionQuality {
  session: string;
  viewers: { viewer: string; rows: QualityRow[]; changes: { at: number; rung: Rung }[] }[];
}

export interface Heartbeat {
  peer?: string;
  epoch?: number;
  rung?: Rung;
  first_frame?: boolean;
  stats?: Stats;
  quality?: Summary;
}

export interface Surface {
  readonly state: "waiting" | "connecting" | "live" | "lost" | "over";
  readonly rung: Rung | null;
  readonly epoch: number;
  /** Lock the pointer to the desktop; a browser wants a click for it. */
  lock(): Promise<void>;
  stats(): Promise<Stats>;
  use(rung: "vnc" | "webrtc"): void;
}

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** What goes into the ladder. `now` is milliseconds of any steady clock. */
export type LadderEvent = { now: number } & (
  | { type: "ready" }
  | { type: "over" }
  | { type: "choose"; rung: "webrtc" | "vnc" }
  | { type: "signal"; up: boolean }
  | { type: "refused"; epoch: number; code?: string; early?: boolean }
  | { type: "connection"; epoch: number; state: RTCPeerConnectionState }
  | { type: "picture"; epoch: number; relay: boolean }
  | { type: "frame"; epoch: number }
  | { type: "relay"; epoch: number; relay: boolean }
  /** The guest said something: the answer to a ping, or that it sent a changed picture, or else. */
  | { type: "heard"; epoch: number; pong: boolean; sent: boolean }
  /** A look beside the relay ended: there is a direct way, or not. */
  | { type: "probed"; direct: boolean }
  | { type: "vnc-picture"; vnc: number }
  | { type: "vnc-closed"; vnc: number }
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
  | { do: "close-vnc"; vnc: number }
  | { do: "show-vnc"; vnc: number };

/** What the signal tells the page. */
export type SignalEvent =
  | { type: "session"; session: Session }
  | { type: "answer"; epoch: number; sdp: string }
  | { type: "exit"; exit: OwnExit }
  | { type: "seats"; viewers: Seat[] }
  | { type: "link-over"; why: string }
  | { type: "refused"; epoch: number; code: string; message: string; early?: boolean }
  | { type: "reachable"; up: boolean }
  | { type: "missing" }
  | { type: "signed-out" };

/** A user's own way out. The sums come by asking, not by events. */
export interface OwnExit {
  kind: "upstream" | "direct" | "none";
  exit: string | null;
  address: string | null;
  address_at: number | null;
  state: "healthy" | "suspect" | "quarantined" | "dead" | null;
  shared: boolean;
  asked: boolean;
  word: string;
  bytes_up?: number;
  bytes_down?: number;
}

export interface Exit {
  id: string;
  label: string;
  scheme: string;
  host: string;
  port: number;
  username: string | null;
  region: string;
  tags: string[];
  draining: boolean;
  state: "healthy" | "suspect" | "quarantined" | "dead";
  score: number;
  latency_ms: number | null;
  why: string;
  address: string | null;
  bytes_up: number;
  bytes_down: number;
  users: string[];
}

export interface Alert {
  number: number;
  at: number;
  kind: string;
  level: "info" | "warning" | "critical";
  text: string;
  acknowledged_at: number | null;
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
}
/** One clipboard: UTF-8 text, or a PNG. */
export interface ClipItem {
  type: string;
  data: Uint8Array;
}

/** What the guest takes (`up`) and gives (`down`), and the largest item in bytes. */
export interface ClipTerms {
  up: boolean;
  down: boolean;
  bytes: number;
}

export interface Touch {
  type: "down" | "move" | "up" | "cancel";
  id: number;
  x: number;
  y: number;
  /** Milliseconds. */
  at: number;
}

/** What fingers mean. */
export type Gesture = { x: number; y: number } & (
  | { do: "move" }
  | { do: "press" | "release"; button: 1 | 3 }
  | { do: "scroll"; dx: number; dy: number }
  | { do: "zoom"; steps: number }
);

/** A peer connection as the machine expects it: its channels, its media, and the offer that says so. */
export interface Line {
  connection: RTCPeerConnection;
  control: RTCDataChannel;
  motion: RTCDataChannel;
  clipboard: RTCDataChannel;
  audio: RTCRtpTransceiver;
  offer: Promise<RTCSessionDescriptionInit>;
}

export interface Connections {
  make: () => Line;
}

/** A page's first offer; `sdp` is empty until it went out, before anybody asked for it. */
export interface Offered {
  peer: string;
  epoch: number;
  sdp: string;
}
