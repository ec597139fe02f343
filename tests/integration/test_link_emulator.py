"""The emulated link is as slow, far and lossy as it says, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.link_emulator import Link, Shape, emulated_link

pytestmark = pytest.mark.machine

ECHO = "import socket;s=socket.socket(2,2);s.bind(('',5555))\nwhile 1:s.sendto(*s.recvfrom(2000))"
PACKET = 1200


def flood(link: Link, packets: int, every_s: float) -> None:
    """Packets to the far end, in a process of its own: this one's timers are the test's."""
    far = link.host.rsplit(".", 1)[0] + ".2"
    code = (
        "import socket,sys,time;s=socket.socket(2,2)\n"
        f"for _ in range({packets}):s.sendto(b'x'*{PACKET},('{far}',5555));time.sleep({every_s})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)


def test_rate_queue_loss_and_a_change_while_it_runs() -> None:
    with emulated_link() as link:
        far = subprocess.Popen(
            ["ip", "netns", "exec", link.namespace, sys.executable, "-c", ECHO], stdout=subprocess.DEVNULL
        )
        try:
            link.shape(Shape(kbps=500, queue_ms=200))
            flood(link, 200, 0.002)
            slow = link.counters()["down"]
            assert slow["dropped"] > 100
            assert slow["queue_ms"] <= 250
            link.shape(Shape(loss=0.5))
            flood(link, 200, 0.001)
            lossy = link.counters()["down"]
            assert 50 < lossy["lost"] < 150
        finally:
            far.kill()
            far.wait()
        namespace = link.namespace
    assert namespace not in subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout
