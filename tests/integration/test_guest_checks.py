"""ICE in the machine: its own check follows the viewer's at once, and its clock stands once a viewer is connected."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest

from tests.support.stream_fixtures import golden_image, lab, loopback_only
from tests.support.stream_lab import DEADLINE, StreamLab
from tests.support.stream_viewer import Viewer
from transom.stream.sdp import read_transport, strip_candidates, viewer_ufrag
from transom_wire.link import PeerClose
from transom_wire.stun import build_binding_request, is_binding_request

__all__ = ["golden_image", "lab", "loopback_only"]
pytestmark = [pytest.mark.machine, pytest.mark.usefixtures("loopback_only")]

TRIES = 5
SOON_S = 0.015
"""The best of TRIES. libnice's own pace makes each of them wait for 20 ms."""
IDLE_S = 5.0
"""libnice looks on for so long when there is nothing left to check."""
LOOK_S = 1.0
TICKS = 20
"""Times a thread wakes in LOOK_S, at most, while a still picture is watched; that clock does so 200 times."""


async def checked_back(lab: StreamLab, epoch: int) -> float:
    """Seconds from a viewer's check until the machine's own."""
    loop, viewer = asyncio.get_running_loop(), Viewer(lab, "first", epoch)
    try:
        await viewer.pc.setLocalDescription(await viewer.pc.createOffer())
        offer = strip_candidates(viewer.pc.localDescription.sdp)
    finally:
        await viewer.close()
    agent = read_transport(await lab.answer("first", epoch, offer))
    check = build_binding_request(
        guest_ufrag=agent.ufrag, viewer_ufrag=viewer_ufrag(offer), password=agent.password
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.setblocking(False)
        own.connect(("127.0.0.1", agent.port))
        began = time.monotonic()
        await loop.sock_sendall(own, check)
        async with asyncio.timeout(DEADLINE):
            while not is_binding_request(await loop.sock_recv(own, 2048)):
                pass
        return time.monotonic() - began


def wakes(pid: int) -> dict[str, int]:
    """How often each thread has waited for something, but usrsctp's, which looks up each 10 ms."""
    found = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        if (thread / "comm").read_text().startswith("SCTP timer"):
            continue
        lines = (thread / "status").read_text().splitlines()
        found[thread.name] = next(int(line.split()[1]) for line in lines if line.startswith("voluntary"))
    return found


async def test_the_machines_check_follows_the_viewers_and_its_clock_stands_once_connected(
    lab: StreamLab,
) -> None:
    assert min([await checked_back(lab, epoch) for epoch in range(1, TRIES + 1)]) < SOON_S
    await lab.say(PeerClose("first", TRIES))
    viewer = await Viewer(lab, "second").connect()
    try:
        await asyncio.sleep(IDLE_S)
        pid = lab.guest_pid()
        async with asyncio.timeout(DEADLINE):
            while True:
                before = wakes(pid)
                await asyncio.sleep(LOOK_S)
                if max(count - before.get(name, count) for name, count in wakes(pid).items()) <= TICKS:
                    return
    finally:
        await viewer.close()
