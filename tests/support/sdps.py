"""Offers and answers as small as they may be."""

from __future__ import annotations

FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)


def _sdp(ufrag: str, password: str, *lines: str) -> str:
    body = [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{password}",
        f"a=fingerprint:{FINGERPRINT}",
        "a=setup:actpass",
        "a=rtpmap:96 H264/90000",
        *lines,
    ]
    return "\r\n".join(body) + "\r\n"


def offer(ufrag: str = "view", *, candidates: int = 2) -> str:
    """A viewer's offer with candidates that nobody needs."""
    found = [
        f"a=candidate:{number} 1 udp 2130706431 192.168.1.{number + 1} 5000{number} typ host"
        for number in range(candidates)
    ]
    return _sdp(ufrag, "viewerviewerviewerviewer", *found)


def answer(ufrag: str = "gues", port: int = 40123) -> str:
    """A guest's answer, its one candidate in it."""
    return _sdp(
        ufrag, "guestguestguestguestguest", f"a=candidate:1 1 udp 2130706431 127.0.0.1 {port} typ host"
    )
