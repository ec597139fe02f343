"""A viewer that tells of no single packet, aiortc, behind a slow link: its receiver reports hold the stream to it."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.image import GoldenImage, golden_image
from tests.support.link_emulator import Shape
from tests.support.stream_lab import stream_lab
from tests.support.stream_viewer import Viewer, loopback_only

__all__ = ["golden_image", "loopback_only"]
pytestmark = [pytest.mark.machine, pytest.mark.usefixtures("loopback_only")]

PAGE = 0x70
CAP_KBPS, LINK_KBPS = 2000, 600


async def leaf(viewer: Viewer, seconds: float) -> None:
    """Turn pages, ten a second: more than any of these links carries."""
    for _ in range(round(seconds * 10)):
        viewer.tap(PAGE)
        await asyncio.sleep(0.1)


async def test_a_viewer_without_feedback_on_packets_is_held_to_its_link(golden_image: GoldenImage) -> None:
    async with stream_lab(golden_image.root(golden_image.digest)) as lab:
        viewer = await Viewer(lab, "first").connect()
        try:
            assert "transport-cc" not in viewer.pc.localDescription.sdp
            link = viewer.narrow(Shape(kbps=LINK_KBPS, delay_ms=40, loss=0.02))
            await leaf(viewer, 7)
            before, dropped, frames = link.passed_bytes, link.dropped, viewer.frames
            await leaf(viewer, 3)
            targets = [words[1] for words in viewer.heard if words[0] == "rate"]
            assert targets[-1] < 0.6 * CAP_KBPS
            passed = link.passed_bytes - before
            assert passed * 8 / 1000 / 3 > 0.4 * LINK_KBPS
            assert (link.dropped - dropped) * 1200 < 0.1 * passed
            assert viewer.frames > frames
        finally:
            await viewer.close()
