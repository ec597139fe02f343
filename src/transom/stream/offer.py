"""A viewer's offer as signalling takes it: read once, before anybody has a seat for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from transom.model.errors import Invalid, TooLarge
from transom.stream.sdp import MAX_SDP, SdpError, strip_candidates, viewer_ufrag


@dataclass(frozen=True, slots=True)
class ViewerOffer:
    """What the machine is told of an offer, and what the door must know."""

    sdp: str
    """Without its candidates."""
    ufrag: str
    """The ICE user fragment of its transport."""


def read_offer(sdp: str) -> ViewerOffer:
    """A viewer's offer. Raises TooLarge, Invalid."""
    check_size(sdp)
    try:
        return ViewerOffer(strip_candidates(sdp), viewer_ufrag(sdp))
    except SdpError as error:
        raise Invalid(f"the offer is not an SDP this server can use: {error}") from error


def check_size(sdp: str) -> None:
    """Raises TooLarge for more than `MAX_SDP` bytes."""
    if len(sdp) > MAX_SDP or len(sdp.encode("utf-8", "surrogatepass")) > MAX_SDP:
        raise TooLarge(f"the SDP is longer than {MAX_SDP} bytes")
