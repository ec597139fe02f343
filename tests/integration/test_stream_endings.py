"""Peers that end at every moment of their making, several at once: the stream server and who watches live on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import pytest
from aiortc import InvalidStateError, RTCSessionDescription

from tests.support.image import GoldenImage
from tests.support.stream_fixtures import golden_image, lab, loopback_only
from tests.support.stream_lab import StreamLab, stream_lab
from tests.support.stream_viewer import Viewer
from transom.stream.sdp import strip_candidates
from transom_wire.link import PeerClose, PeerOffer, PeerTerms

__all__ = ["golden_image", "lab", "loopback_only"]
pytestmark = [pytest.mark.machine, pytest.mark.usefixtures("loopback_only")]

A = 0x61
AT_ONCE, LIVES = 3, 18
STEP = 0.006
"""Seconds by which each life is longer than the one before: ICE, DTLS, SCTP and the channels fit into them all."""


async def test_peers_that_end_at_every_moment_take_nobody_with_them(lab: StreamLab) -> None:
    steady = await Viewer(lab, "steady").connect()
    try:
        await lives(lab, "first")
        before = lab.descriptors()
        await asyncio.gather(*(lives(lab, f"short{number}") for number in range(AT_ONCE)))
        steady.say("k", A, 1)
        await steady.sees("red")
        assert lab.links == 1, "the stream server began anew"
        async with asyncio.timeout(20):
            while lab.descriptors() > before + 6:
                await asyncio.sleep(0.2)
    finally:
        await steady.close()


async def test_a_crash_leaves_its_stacks_and_another_server_takes_the_next_try(
    golden_image: GoldenImage,
) -> None:
    async with stream_lab(golden_image.root(golden_image.digest), "exec 2>&1\n") as lab:
        os.kill(lab.guest_pid(), signal.SIGSEGV)
        await lab.until(lambda: "Fatal Python error: Segmentation fault" in lab.felt)
        await lab.until(lambda: any("transom_guest/stream/__main__.py" in line for line in lab.felt))
        await lab.until(lambda: lab.links == 2)
        again = await Viewer(lab, "again").connect()
        await again.close()


async def lives(lab: StreamLab, name: str) -> None:
    """One viewer's tries, each ended a little later than the one before: by its word, by a newer one, by its going."""
    for epoch in range(1, LIVES + 1):
        viewer = Viewer(lab, name, epoch)
        try:
            if await answered(viewer):
                await asyncio.sleep(STEP * epoch)
                for number in range(3):
                    viewer.pc.createDataChannel(f"late{number}")
            if epoch % 3:
                await lab.say(PeerClose(peer=name, epoch=epoch))
        finally:
            with contextlib.suppress(InvalidStateError, ConnectionError):
                await viewer.close()


async def answered(viewer: Viewer) -> bool:
    """Offer, and connect to what answers; each fourth does not wait for it."""
    await viewer.pc.setLocalDescription(await viewer.pc.createOffer())
    offer = strip_candidates(viewer.pc.localDescription.sdp)
    if not viewer.epoch % 4:
        await viewer.lab.say(PeerOffer(peer=viewer.name, epoch=viewer.epoch, sdp=offer, terms=PeerTerms()))
        return False
    answer = await viewer.lab.answer(viewer.name, viewer.epoch, offer)
    await viewer.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    return True
