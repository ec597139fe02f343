/** True where this browser takes what the machine sends. Firefox does a little after its first start: it fetches a decoder. */
export function takesH264() {
  const codecs = window.RTCRtpReceiver?.getCapabilities("video")?.codecs ?? [];
  return codecs.some((one) => one.mimeType === "video/H264" && /profile-level-id=42e0/i.test(one.sdpFmtpLine ?? ""));
}
