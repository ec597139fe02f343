// Paints on a canvas that a page gave away: frames of a track, or those that it decodes itself.
let surface, context;

onmessage = async ({ data }) => {
  surface = data.surface;
  context = surface.getContext("2d", { alpha: false, desynchronized: true });
  if (!data.readable) return;
  const reader = data.readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    paint(value);
  }
};

function paint(picture, rtp = picture.metadata?.().rtpTimestamp) {
  const { displayWidth: width, displayHeight: height } = picture;
  if (surface.width !== width) surface.width = width;
  if (surface.height !== height) surface.height = height;
  context.drawImage(picture, 0, 0);
  picture.close();
  postMessage({ width, height, rtp });
}

onrtctransform = async ({ transformer }) => {
  const times = new Map();
  const output = (picture) => {
    const rtp = times.get(picture.timestamp);
    times.delete(picture.timestamp);
    paint(picture, rtp);
  };
  const decoder = new VideoDecoder({ output, error: () => close() });
  decoder.configure({ codec: "avc1.42e01f", optimizeForLatency: true });
  const reader = transformer.readable.getReader();
  const writer = transformer.writable.getWriter();
  let begun = false, order = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    begun ||= value.type === "key";
    if (begun) {
      times.set(++order, value.getMetadata().rtpTimestamp ?? value.timestamp);
      decoder.decode(new EncodedVideoChunk({ type: value.type, timestamp: order, data: value.data.slice(0) }));
    } else {
      await transformer.sendKeyFrameRequest();
    }
    // the browser decodes it as well: without any frame it would ask for key frames again and again
    await writer.write(value);
  }
};
