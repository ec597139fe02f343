/** How a picture fares, and what is told of it; docs/reference/http.md. */

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
  viewers: ViewerQuality[];
}

export interface ViewerQuality {
  viewer: string;
  rows: QualityRow[];
  changes: { at: number; rung: Rung }[];
  candidates: string;
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
