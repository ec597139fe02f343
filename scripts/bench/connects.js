// In a session's page: so many peer connections one after the other, each up to its first packet of picture.
async ({ session, from, count }) => {
  const post = (path, body) =>
    fetch(`/api/webrtc/session/${session}/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  const within = (promise, ms) =>
    Promise.race([promise, new Promise((_, no) => setTimeout(() => no(new Error("too slow")), ms))]);
  const took = [];
  for (let epoch = from; epoch < from + count; epoch++) {
    const began = performance.now();
    const peer = new RTCPeerConnection();
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.createDataChannel("control");
    const shown = new Promise((yes) => (peer.ontrack = ({ track }) => (track.onunmute = yes)));
    await peer.setLocalDescription();
    await post("offer", { peer: "soak", epoch, sdp: peer.localDescription.sdp });
    const answer = await fetch(`/api/webrtc/session/${session}/answer?peer=soak&epoch=${epoch}&wait_ms=8000`);
    if (answer.status !== 200) throw new Error(`no answer: ${answer.status} ${await answer.text()}`);
    await peer.setRemoteDescription({ type: "answer", sdp: (await answer.json()).sdp });
    await within(shown, 10000);
    peer.close();
    took.push(performance.now() - began);
    await new Promise((yes) => setTimeout(yes, 210 - Math.min(took.at(-1), 200)));
  }
  return took;
};
