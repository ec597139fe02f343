"""A picture that all viewers have drawn is not sent again, with aiortc as viewers, of which one has no patience."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from tests.support.stream_fixtures import golden_image, join, lab, loopback_only, viewers
from tests.support.stream_lab import StreamLab
from tests.support.stream_viewer import Viewer
from tests.support.waiting import until
from transom_guest.stream.pacing import REPEAT_EVERY

__all__ = ["golden_image", "lab", "loopback_only", "viewers"]
pytestmark = [pytest.mark.machine, pytest.mark.usefixtures("loopback_only")]

A = 0x61
TICKS = 90_000


async def rests(*viewers: Viewer) -> None:
    """Have viewers say what they have drawn, until the guest says to each that there is nothing newer."""
    for viewer in viewers:
        viewer.heard.clear()

    async def said(viewer: Viewer) -> None:
        while ["p", "drawn", 1] not in viewer.heard:
            viewer.control.send(json.dumps(["p", "drawn", viewer.arrived]))
            await asyncio.sleep(0.1)

    async with asyncio.timeout(20):
        await asyncio.gather(*map(said, viewers))


async def more_frames(viewer: Viewer) -> int:
    """How many frames come in the time of two repeats."""
    before = viewer.frames
    await asyncio.sleep(2 * REPEAT_EVERY + 0.5)
    return viewer.frames - before


async def test_a_picture_that_was_drawn_is_not_sent_again_nor_a_key_frame_of_it(
    lab: StreamLab, viewers: AsyncExitStack
) -> None:
    viewer = await join(lab, viewers, "first")
    await until(lambda: ["rest", 1] in viewer.heard)
    await rests(viewer)
    assert await more_frames(viewer) == 0
    viewer.ask_for_key()
    assert await more_frames(viewer) == 0
    viewer.say("i")
    await until(lambda: viewer.newest[-1].key_frame)
    viewer.say("k", A, 1)
    await viewer.sees("red")
    viewer.say("k", A, 0)
    await viewer.sees("black")
    await rests(viewer)
    assert await more_frames(viewer) == 0


async def test_a_picture_that_was_not_drawn_is_sent_again_and_again(
    lab: StreamLab, viewers: AsyncExitStack
) -> None:
    viewer = await join(lab, viewers, "first")
    await rests(viewer)
    viewer.say("k", A, 1)
    await viewer.sees("red")
    await asyncio.sleep(1)
    old = (viewer.arrived - TICKS) % 2**32
    viewer.control.send(json.dumps(["p", "old", old]))
    await until(lambda: ["p", "old", 0] in viewer.heard)
    assert await more_frames(viewer) >= 1
    before = viewer.frames
    viewer.ask_for_key()
    await until(lambda: any(each.key_frame for each in list(viewer.newest)[before - viewer.frames :]))


async def test_one_viewer_who_does_not_say_what_it_has_drawn_is_sent_repeats(
    lab: StreamLab, viewers: AsyncExitStack
) -> None:
    one, other = await join(lab, viewers, "first"), await join(lab, viewers, "second")
    await rests(one)
    assert await more_frames(one) >= 1
    await rests(one, other)
    assert await more_frames(one) == 0
    third = await join(lab, viewers, "third")
    await rests(one, other)
    assert await more_frames(third) >= 1
