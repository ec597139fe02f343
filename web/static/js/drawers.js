import { Brush } from "./brush.js";
import { firstLit } from "./pixels.js";

/** @import { Size } from "../../types/model" */

/** @typedef {{ metadata?: () => { rtpTimestamp?: number } }} Described newer than the compiler's VideoFrame */

/**
 * What brings a stream to the screen. `frame` is called for each picture that was really drawn, `lit` being
 * true from the first one that counts on (`firstLit`); `costMs` is what painting took, where we paint; `rtp` is the
 * frame's RTP timestamp, where the browser tells.
 * @typedef {{ element: HTMLCanvasElement | HTMLVideoElement, size: () => Size, stop: () => void }} Drawer
 * @typedef {(costMs: number | null, lit: boolean, rtp: number | undefined) => void} OnFrame
 */

/** True where decoded frames can be had without `<video>`. */
export function canPaint() {
  return typeof window.MediaStreamTrackProcessor === "function";
}

/** @param {MediaStream} stream @param {OnFrame} frame @returns {Drawer} */
export function drawByVideo(stream, frame) {
  const video = document.createElement("video");
  Object.assign(video, { autoplay: true, muted: true, playsInline: true, srcObject: stream });
  // Firefox lays a button over a video, and it takes the desktop's clicks.
  video.setAttribute("disablepictureinpicture", "");
  const lit = firstLit();
  let handle = 0;
  const next = () => {
    handle = video.requestVideoFrameCallback((_now, { rtpTimestamp }) => {
      next();
      frame(null, lit(video), rtpTimestamp);
    });
  };
  next();
  video.play().catch(() => {});
  return {
    element: video,
    size: () => ({ width: video.videoWidth, height: video.videoHeight }),
    stop: () => {
      video.cancelVideoFrameCallback(handle);
      video.srcObject = null;
    },
  };
}

/** @param {MediaStream} stream @param {OnFrame} frame @returns {Drawer} */
export function drawByCanvas(stream, frame) {
  const [track] = stream.getVideoTracks();
  const Processor = window.MediaStreamTrackProcessor;
  if (!track || !Processor) throw new Error("no track processor");
  const canvas = document.createElement("canvas");
  const brush = new Brush(canvas);
  const lit = firstLit();
  const reader = new Processor({ track, maxBufferSize: 1 }).readable.getReader();

  const paint = async (/** @type {VideoFrame} */ picture) => {
    const { rtpTimestamp } = /** @type {Described} */ (/** @type {unknown} */ (picture)).metadata?.() ?? {};
    const cost = await brush.paint(picture).finally(() => picture.close());
    frame(cost, lit(canvas), rtpTimestamp);
  };
  const read = async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      await paint(value);
    }
  };
  read().catch(() => {});
  return {
    element: canvas,
    size: () => ({ width: canvas.width, height: canvas.height }),
    stop: () => void reader.cancel().catch(() => {}),
  };
}
