"""What a viewer's offer asks of the desktop's sound. Pure: an SDP in, the payload to send it out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from transom_guest.stream.offer import section
from transom_wire.peers import PeerOffer

_OPUS = re.compile(r"a=rtpmap:(\d{1,3}) opus/48000/2", re.IGNORECASE)
DYNAMIC = range(35, 128)
"""Payload types that an offer may give a codec without one of its own (RFC 8866, RFC 5761)."""


@dataclass(frozen=True, slots=True)
class Opus:
    """How the viewer wants its sound (RFC 7587); `speaks`: it may send its microphone's."""

    payload_type: int
    speaks: bool


def read_sound(sdp: str) -> Opus | None:
    """The Opus of the offer's first audio section; None when it takes no sound that we can send.

    `sdp` is one that `offer.read_offer` took: its length is bounded there.
    """
    audio = section(sdp.splitlines(), "audio")
    if not audio or not any(line in ("a=recvonly", "a=sendrecv") for line in audio):
        return None
    if audio[0].split()[1:2] == ["0"]:  # a section that is rejected (RFC 8843)
        return None
    order = audio[0].split()[3:]
    for line in audio:
        match = _OPUS.fullmatch(line)
        if match and match[1] in order and int(match[1]) in DYNAMIC:
            return Opus(int(match[1]), speaks="a=sendrecv" in audio)
    return None


def sound_of(offer: PeerOffer) -> Opus | None:
    """The sound that an offer asks for; its microphone is taken only where its terms say so."""
    opus = read_sound(offer.sdp)
    return replace(opus, speaks=opus.speaks and offer.terms.microphone) if opus is not None else None
