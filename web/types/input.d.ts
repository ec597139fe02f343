/** What people do to the desktop; docs/reference/channels.md. */

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
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
