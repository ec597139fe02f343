/** Browser interfaces that are newer than the compiler's own declarations. */
interface TrackProcessor {
  readonly readable: ReadableStream<VideoFrame>;
}

interface Window {
  MediaStreamTrackProcessor?: new (init: { track: MediaStreamTrack; maxBufferSize?: number }) => TrackProcessor;
  /** What was begun before the modules were there. */
  ahead?: {
    socket?: WebSocket;
    heard?: MessageEvent[];
    ice?: Promise<import("./model").IceServers | null>;
    line?: import("./model").Line | undefined;
    offered?: import("./model").Offered;
  };
  /** Begin a session's page, with its first connection, which was not offered yet. */
  goAhead?: (session: string, line: import("./model").Line | undefined) => Promise<void>;
  connections?: import("./model").Connections;
  transom?: import("./model").Surface;
}
