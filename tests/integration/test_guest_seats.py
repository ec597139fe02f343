"""Viewers with different terms on one stream server: one drives, the others watch, and the guest sees to it."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from tests.support.stream_fixtures import golden_image, lab, loopback_only
from tests.support.stream_lab import StreamLab
from tests.support.stream_viewer import Viewer
from transom_wire.link import PeerChange, PeerTerms

__all__ = ["golden_image", "lab", "loopback_only"]
pytestmark = [pytest.mark.machine, pytest.mark.usefixtures("loopback_only")]

A, B = 0x61, 0x62
DRIVES, WATCHES = PeerTerms(drives=True), PeerTerms(drives=False)


async def test_a_watcher_sees_and_moves_nothing_until_it_is_given_the_desktop(lab: StreamLab) -> None:
    async with AsyncExitStack() as stack:
        driver, watcher = Viewer(lab, "driver"), Viewer(lab, "watcher", terms=WATCHES)
        for viewer in (driver, watcher):
            stack.push_async_callback(viewer.close)
            await viewer.connect()
        await watcher.until(lambda: ["drives", 0] in watcher.heard)
        assert not [message for message in driver.heard if message[0] == "drives"]

        # everything a watcher could try, before a key of the driver's that all of it would have come before
        for said in (
            ["k", B, 1],
            ["t", "b"],
            ["b", 9, 9, 1, 1],
            ["w", 9, 9, 0, 1],
            ["m", 9, 9],
            ["s", 800, 600],
        ):
            watcher.say(*said)  # type: ignore[arg-type]
        watcher.motion.send('["m", 99, 33, 44]')
        watcher.say("i")
        watcher.control.send('["p", "still heard"]')
        await watcher.until(lambda: ["p", "still heard"] in watcher.heard)
        driver.say("k", A, 1)
        await driver.sees("red")
        await watcher.sees("red")
        await lab.feels("press 61")
        assert not [line for line in lab.felt if line.split()[0] in ("button", "at") or line.endswith(" 62")]
        assert ["size", 800, 600] not in watcher.heard

        # taken while a key is down: released at once, and what the former driver sends on goes nowhere
        await lab.say(PeerChange("driver", WATCHES), PeerChange("watcher", DRIVES))
        await lab.feels("press 61", "release 61")
        await driver.until(lambda: ["drives", 0] in driver.heard)
        await watcher.until(lambda: ["drives", 1] in watcher.heard)
        driver.tap(A)
        driver.control.send('["p", 1]')
        await driver.until(lambda: ["p", 1] in driver.heard)
        felt = len(lab.felt)
        watcher.tap(B)
        await lab.feels("press 62", "release 62")
        assert "press 61" not in lab.felt[felt:]

        # a new try of the same viewer keeps to the terms of its own offer
        again = Viewer(lab, "driver", 2, terms=WATCHES)
        stack.push_async_callback(again.close)
        await again.connect()
        again.tap(A)
        again.control.send('["p", 2]')
        await again.until(lambda: ["p", 2] in again.heard)
        assert "press 61" not in lab.felt[felt:]
