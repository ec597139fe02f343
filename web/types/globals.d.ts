/** Browser interfaces that are newer than the compiler's own declarations. */
interface TrackProcessor {
  readonly readable: ReadableStream<VideoFrame>;
}

interface Window {
  MediaStreamTrackProcessor?: new (init: { track: MediaStreamTrack; maxBufferSize?: number }) => TrackProcessor;
  transom?: import("./model").Surface;
}
