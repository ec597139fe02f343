/** What transom uses of noVNC's RFB class; see the API page that comes with the package. */
export default class RFB extends EventTarget {
  constructor(target: HTMLElement, channel: WebSocket, options?: { shared?: boolean });
  scaleViewport: boolean;
  viewOnly: boolean;
  resizeSession: boolean;
  focusOnClick: boolean;
  showDotCursor: boolean;
  background: string;
  qualityLevel: number;
  compressionLevel: number;
  disconnect(): void;
  focus(options?: FocusOptions): void;
  blur(): void;
  sendKey(keysym: number, code: string | null, down?: boolean): void;
}
