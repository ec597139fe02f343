/** What an operator looks at: machines, exits, alerts; docs/reference/http.md. Times are Unix milliseconds. */

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
