"""Offers that mean ill, at a real webrtcbin: each is answered or refused, and another viewer's picture goes on."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.support.image import GoldenImage, golden_image
from tests.support.offers import mutated, twice_in_the_session
from tests.support.sdps import offer
from tests.support.stream_lab import stream_lab
from tests.support.stream_viewer import Viewer, loopback_only
from transom.stream.sdp import SdpError, strip_candidates, viewer_ufrag
from transom_guest.stream.offer import OfferError, read_offer
from transom_wire.link import PeerClose, PeerOffer, PeerTerms

__all__ = ["golden_image", "loopback_only"]

OFFERS, AT_ONCE = 200, 5


def read_by_both(sdp: str) -> bool:
    try:
        read_offer(strip_candidates(sdp))
        return bool(viewer_ufrag(sdp))
    except (SdpError, OfferError):
        return False


def ill(sdp: str, chance: random.Random) -> Iterator[str]:
    """Offers that may reach webrtcbin, and those that are known to have ended it."""
    yield from twice_in_the_session(sdp)
    for _ in range(OFFERS):
        yield next(other for _ in range(1000) if read_by_both(other := mutated(sdp, chance)))


@pytest.mark.machine
@pytest.mark.usefixtures("loopback_only")
async def test_no_offer_ends_the_picture_of_another_viewer(golden_image: GoldenImage) -> None:
    async with stream_lab(golden_image.root(golden_image.digest)) as lab:
        good = Viewer(lab, "good")
        try:
            await good.connect()
            pid, sdp = lab.guest_pid(), strip_candidates(good.pc.localDescription.sdp)
            each = [
                PeerOffer(peer=f"ill{number}", epoch=1, sdp=other, terms=PeerTerms(drives=False))
                for number, other in enumerate(ill(sdp, random.Random(7)))
            ]
            for first in range(0, len(each), AT_ONCE):
                batch = each[first : first + AT_ONCE]
                await lab.say(*batch)
                await lab.until(
                    lambda some=batch: all((o.peer, 1) in lab.answers or lab.state(o.peer, 1) for o in some)
                )
                await lab.say(*(PeerClose(peer=o.peer, epoch=1) for o in batch))
            assert (lab.guest_pid(), lab.links) == (pid, 1)
            good.say("k", 0x61, 1)
            await good.sees("red")
        finally:
            await good.close()


def test_what_is_known_to_have_ended_webrtcbin_passes_neither_reader() -> None:
    sdp = offer()
    assert viewer_ufrag(sdp)
    for other in twice_in_the_session(sdp):
        with pytest.raises(SdpError):
            viewer_ufrag(other)
        with pytest.raises(OfferError, match="not an SDP that can be answered"):
            read_offer(other)
