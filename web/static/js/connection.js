/**
 * A peer connection as the machine expects it: its channels, its media, and the offer that says so.
 *
 * @typedef {object} Line
 * @property {RTCPeerConnection} connection
 * @property {RTCDataChannel} control
 * @property {RTCDataChannel} motion
 * @property {RTCDataChannel} clipboard
 * @property {RTCRtpTransceiver} audio
 * @property {Promise<RTCSessionDescriptionInit>} offer
 */

/** Offered to nobody yet, and without ICE servers. @returns {Line} */
export function makeLine() {
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  const control = connection.createDataChannel("control");
  const motion = connection.createDataChannel("motion", { ordered: false, maxRetransmits: 0 });
  const clipboard = connection.createDataChannel("clipboard");
  clipboard.binaryType = "arraybuffer";
  preferH264(connection.addTransceiver("video", { direction: "recvonly" }));
  // Whether a microphone is taken, the answer says; a track is put in when the user opens it.
  const audio = connection.addTransceiver("audio", { direction: "sendrecv" });
  const offer = connection.createOffer();
  offer.catch(() => {}); // whoever takes the line hears of it
  return { connection, control, motion, clipboard, audio, offer };
}

/** Before it is offered to anybody. @param {Line} line @param {RTCIceServer[]} iceServers @param {RTCIceTransportPolicy} [policy] */
export function useServers({ connection }, iceServers, policy = "all") {
  connection.setConfiguration({ ...connection.getConfiguration(), iceServers, ...(policy === "relay" ? { iceTransportPolicy: policy } : {}) });
}

/** Constrained baseline first: what the machine sends. @param {RTCRtpTransceiver} transceiver */
function preferH264(transceiver) {
  const codecs = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
  const rank = (/** @type {RTCRtpCodec} */ codec) => {
    if (codec.mimeType !== "video/H264") return 2;
    return /packetization-mode=1.*profile-level-id=42e0/.test(codec.sdpFmtpLine ?? "") ? 0 : 1;
  };
  if (codecs.length) transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a) - rank(b)));
}
