"""Hours in short: viewers that come and go, and one that types on; what the stream server holds stays flat."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.image import GoldenImage, golden_image
from tests.support.machines import descendants
from tests.support.stream_lab import StreamLab, stream_lab
from tests.support.stream_viewer import Viewer, loopback_only
from transom_wire.link import PeerClose

__all__ = ["golden_image", "loopback_only"]
pytestmark = [pytest.mark.machine, pytest.mark.usefixtures("loopback_only")]

A = 0x61
WARM_UP, CONNECTS, STEP = 20, 180, 10
TYPED_S = 12.0
DRIFT, DRIFT_S = 2, 0.05
"""The keys of the last third take no longer than so many times those of the first, and so many seconds."""
DISPLAY_KIB = 1024
"""That the display may grow by while viewers come and go."""
LEAK_KIB = 30
"""A connect, after the first that are no more than heaps finding their size: some 10 of these are usual, and a peer
whose elements stay costs more than 40."""
SIZED = 20
"""Connects after the warm-up that are not counted: what keys and pictures used is cut up anew."""
IDLE = 40.0
"""Seconds for threads without work to end; GLib gives them 15."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds."""

    descriptors: int
    threads: int
    kibibytes: int
    """Of anonymous memory: what the kernel cannot read in again."""


def held(process: int) -> Held:
    folder = Path(f"/proc/{process}")
    rollup = (folder / "smaps_rollup").read_text().splitlines()
    anonymous = next(int(line.split()[1]) for line in rollup if line.startswith("Anonymous:"))
    return Held(len(os.listdir(folder / "fd")), len(os.listdir(folder / "task")), anonymous)


def display(lab: StreamLab) -> int:
    """The process id of the lab's display outside the sandbox."""
    for process in descendants(lab.process.pid):
        if Path(f"/proc/{process}/comm").read_text() in ("Xorg\n", "Xvnc\n"):
            return process
    raise AssertionError("there is no display")


async def come_and_go(lab: StreamLab, first: int, count: int) -> list[Held]:
    """So many viewers, one after the other, some of whom leave before they say so; a look after each STEP."""
    looks: list[Held] = []
    for epoch in range(first, first + count):
        viewer = Viewer(lab, "again", epoch)
        viewer.pc.addTransceiver("audio", "recvonly")
        try:
            await viewer.connect()
            if epoch % 2:
                await lab.say(PeerClose(peer="again", epoch=epoch))
        finally:
            await viewer.close()
        await lab.say(PeerClose(peer="again", epoch=epoch))
        await lab.until(lambda epoch=epoch: lab.state("again", epoch) in ("closed", "failed"))
        if epoch % STEP == 0:
            await asyncio.sleep(0.2)
            looks.append(held(lab.guest_pid()))
    return looks


async def type_on(lab: StreamLab, seconds: float) -> list[float]:
    """Keys that change the picture, as fast as it follows: how long each took, in seconds."""
    viewer = Viewer(lab, "typist")
    try:
        await viewer.connect()
        end, took = time.monotonic() + seconds, list[float]()
        while time.monotonic() < end:
            began = time.monotonic()
            viewer.say("k", A, 1)
            await viewer.sees("red")
            took.append(time.monotonic() - began)
            viewer.say("k", A, 0)
            await viewer.sees("black")
        await lab.say(PeerClose(peer="typist", epoch=1))
        await lab.until(lambda: lab.state("typist", 1) == "closed")
        return took
    finally:
        await viewer.close()


async def settled(lab: StreamLab, threads: int) -> Held:
    """What is held when there are no more than so many threads, or after IDLE."""
    end = time.monotonic() + IDLE
    while (now := held(lab.guest_pid())).threads > threads and time.monotonic() < end:
        await asyncio.sleep(0.2)
    return now


async def test_typing_loses_nothing_nor_slows_and_connects_leave_memory_descriptors_and_threads_flat(
    golden_image: GoldenImage,
) -> None:
    async with stream_lab(golden_image.root(golden_image.digest)) as lab:
        warm = await come_and_go(lab, 1, WARM_UP)
        took = await type_on(lab, TYPED_S)
        assert lab.felt.count("press 61") == lab.felt.count("release 61") == len(took) > 15
        before, shown_before = held(lab.guest_pid()), held(display(lab))
        looks = await come_and_go(lab, WARM_UP + 1, CONNECTS)
        after = await settled(lab, min(look.threads for look in (*warm, before)))
        shown = held(display(lab))
    found = (warm, before, looks, after, shown_before, shown)
    assert lab.links == 1, "it was started anew"
    third = len(took) // 3
    assert statistics.median(took[-third:]) < DRIFT * statistics.median(took[:third]) + DRIFT_S, took
    assert max(look.descriptors for look in (*looks, after)) <= before.descriptors, found
    assert after.threads <= min(look.threads for look in (*warm, before)), found
    grown = looks[-1].kibibytes - looks[SIZED // STEP - 1].kibibytes
    assert grown < LEAK_KIB * (CONNECTS - SIZED), found
    assert (shown.descriptors, shown.threads) == (shown_before.descriptors, shown_before.threads), found
    assert shown.kibibytes - shown_before.kibibytes < DISPLAY_KIB, found
