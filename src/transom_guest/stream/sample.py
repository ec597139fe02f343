"""An offer of nobody's: as small as a browser's may be, and right in every line."""

from __future__ import annotations

_FINGERPRINT = ":".join(["5A"] * 32)
_TRANSPORT = (
    "a=ice-ufrag:warm\r\na=ice-pwd:warmwarmwarmwarmwarmwarm\r\n"
    f"a=fingerprint:sha-256 {_FINGERPRINT}\r\na=setup:actpass\r\n"
)
OFFER = (
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 102\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    f"{_TRANSPORT}a=mid:0\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:102 H264/90000\r\n"
    "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n"
    f"{_TRANSPORT}a=mid:1\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n"
)
