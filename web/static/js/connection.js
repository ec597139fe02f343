// How a peer connection is made that the machine expects. The page of a session has this text in its head, and it runs
// there before any module is fetched; everybody else imports it.
window.connections ??= (() => {
  /** Constrained baseline first: what the machine sends. @param {RTCRtpTransceiver} transceiver */
  const preferH264 = (transceiver) => {
    const codecs = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
    const rank = (/** @type {RTCRtpCodec} */ codec) => {
      if (codec.mimeType !== "video/H264") return 2;
      return /packetization-mode=1.*profile-level-id=42e0/.test(codec.sdpFmtpLine ?? "") ? 0 : 1;
    };
    if (codecs.length) transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a) - rank(b)));
  };

  /** With its channels, its media, and the offer that says so; offered to nobody yet, and without ICE servers. @returns {import("../../types/model").Line} */
  const make = () => {
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
  };
  return { make };
})();
