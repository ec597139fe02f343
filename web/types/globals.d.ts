/** Browser interfaces that are newer than the compiler's own declarations. */
interface TrackProcessor {
  readonly readable: ReadableStream<VideoFrame>;
}

interface Window {
  MediaStreamTrackProcessor?: new (init: { track: MediaStreamTrack; maxBufferSize?: number }) => TrackProcessor;
  /** The events' socket, opened before the modules were there. */
  ahead?: { socket: WebSocket; heard: MessageEvent[] };
  transom?: import("./model").Surface;
}
