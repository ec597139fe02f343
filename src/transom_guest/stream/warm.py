"""What a first viewer would otherwise wait for: a negotiation with nobody, or at least all code loaded."""

from __future__ import annotations

import os

from transom_guest.stream.gst import GLib, Gst
from transom_guest.stream.offer import read_offer
from transom_guest.stream.peer import Peer

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


class _Nobody:
    """Takes a peer's events and does nothing with them."""

    def peer_state(self, peer: Peer, state: str, reason: str) -> None: ...
    def peer_open(self, peer: Peer) -> None: ...
    def peer_message(self, peer: Peer, text: str | None) -> None: ...
    def peer_key_wanted(self, peer: Peer) -> None: ...


FACTORIES = (
    *(
        "appsrc",
        "appsink",
        "capsfilter",
        "videoconvert",
        "x264enc",
        "h264parse",
        "rtph264pay",
        "queue",
        "tee",
    ),
    *("webrtcbin", "nicesrc", "nicesink", "dtlsenc", "dtlsdec", "dtlssrtpenc", "dtlssrtpdec"),
    *("srtpenc", "srtpdec", "sctpenc", "sctpdec", "rtpbin", "rtpfunnel", "funnel", "clocksync", "fakesink"),
)
"""What a pipeline of this server is made of, as far as the image has it."""


def load() -> None:
    """Load the plugins, and make nothing of them: what draws random numbers does so when it is made.

    But one: GStreamer's first DTLS element makes an RSA key, which takes seconds where all is emulated. Nobody
    uses that key (transom_guest.stream.certificate); OpenSSL's generator is seeded anew with a claim, and of
    GLib's, which that element seeds too, no secret is drawn.
    """
    for name in FACTORIES:
        factory = Gst.ElementFactory.find(name)
        if factory is not None:
            factory.load()
    Gst.ElementFactory.make("dtlsdec")


def freshen() -> None:
    """After a claim: names and numbers that are no secrets, but better not a clone's, begin anew."""
    GLib.random_set_seed(int.from_bytes(os.urandom(4), "big"))


async def warm_up() -> None:
    """Load and run once what an answer needs. Raises GstError when this image cannot answer at all."""
    peer = Peer("warm", 1, read_offer(OFFER), _Nobody())
    try:
        await peer.answer(OFFER)
    finally:
        await peer.close()
