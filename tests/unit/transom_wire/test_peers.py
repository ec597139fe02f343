"""Messages about viewers."""

from __future__ import annotations

import pytest

from transom_wire.codec import WireError, decode, encode
from transom_wire.link import TO_WEBRTC, PeerChange, PeerOffer, PeerTerms


def test_terms_travel_inside_an_offer() -> None:
    offer = PeerOffer("a", 1, "v=0", PeerTerms(False, "up", 5, True, 4000))
    assert decode(encode(offer), TO_WEBRTC) == offer


@pytest.mark.parametrize(
    "terms",
    [
        PeerTerms(clipboard="sideways"),
        PeerTerms(clipboard_bytes=2**30),
        PeerTerms(clipboard_bytes=-1),
        PeerTerms(kbps=0),
        PeerTerms(kbps=10**6),
    ],
)
def test_terms_have_limits(terms: PeerTerms) -> None:
    with pytest.raises(WireError):
        decode(encode(PeerChange("a", terms)), TO_WEBRTC)
