// Stands in for the page's drawers.js: decoded frames reach the screen by a worker, from one of two sources.
// `ROAD` is put before it: "worker" reads the track there, "transform" decodes the encoded frames there.
import { firstLit } from "./pixels.js";

export const canPaint = () => true;

export function drawByVideo() {
  throw new Error("this road is a canvas");
}

export function drawByCanvas(stream, frame) {
  const [track] = stream.getVideoTracks();
  const canvas = document.createElement("canvas");
  const surface = canvas.transferControlToOffscreen();
  const worker = new Worker("/static/js/road_worker.js");
  const lit = firstLit();
  let size = { width: 0, height: 0 };
  worker.onmessage = ({ data: { width, height, rtp } }) => {
    size = { width, height };
    frame(null, lit(canvas), rtp);
  };
  if (ROAD === "worker") {
    const { readable } = new MediaStreamTrackProcessor({ track, maxBufferSize: 1 });
    worker.postMessage({ surface, readable }, [surface, readable]);
  } else {
    worker.postMessage({ surface }, [surface]);
    const receivers = bench.peers.flatMap((peer) => peer.getReceivers());
    receivers.find((one) => one.track === track).transform = new RTCRtpScriptTransform(worker);
  }
  return { element: canvas, size: () => size, stop: () => worker.terminate() };
}
