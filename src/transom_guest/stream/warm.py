"""What a first viewer would otherwise wait for: a negotiation with nobody, or at least all code loaded."""

from __future__ import annotations

import os

from transom_guest.stream.gst import GLib, Gst
from transom_guest.stream.offer import read_offer
from transom_guest.stream.peer import Peer
from transom_guest.stream.rate_feedback import Told
from transom_guest.stream.sample import OFFER


class _Nobody:
    """Takes a peer's events and does nothing with them."""

    def peer_state(self, peer: Peer, state: str, reason: str) -> None: ...
    def peer_open(self, peer: Peer) -> None: ...
    def peer_message(self, peer: Peer, text: str | None, channel: str) -> None: ...
    def peer_clip(self, peer: Peer, message: str | bytes | None) -> None: ...
    def peer_clip_open(self, peer: Peer) -> None: ...
    def peer_key_wanted(self, peer: Peer) -> None: ...
    def peer_told(self, peer: Peer, told: Told) -> None: ...


FACTORIES = (
    *(
        "appsrc",
        "appsink",
        "capsfilter",
        "x264enc",
        "h264parse",
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
