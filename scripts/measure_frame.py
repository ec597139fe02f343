"""What a frame costs the machine's stream server while a page scrolls, thread by thread, with one viewer:

    python scripts/measure_frame.py --seconds 6 --rounds 5

By the kernel's account of each thread (`/proc/PID/task/*/schedstat`), which counts to the nanosecond; frames are those
that the viewer decoded. Also the cores of a still screen, and of one that nobody watches. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.peers import Ours, commit
from bench.processes import busy
from bench.stage import ROOT
from playwright.sync_api import Page
from soak import Place, say

SETTLE_S = 4.0
"""A desktop that was just shown, or left, has other things to do first."""


def spent(pids: Sequence[int]) -> dict[str, float]:
    """Milliseconds of processor time of each kind of thread so far, by its name without a number at its end."""
    found: dict[str, float] = defaultdict(float)
    for task in (task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()):
        try:
            name = (task / "comm").read_text().strip().rstrip("0123456789")
            found[name] += int((task / "schedstat").read_text().split()[0]) / 1e6
        except OSError:
            continue
    return found


def scrolled(peer: Ours, page: Page, seconds: float) -> tuple[dict[str, float], float]:
    """Milliseconds a frame by thread, and frames a second."""
    before, shown, began = spent(peer.stream_server()), page.evaluate("bench.bytes()"), time.monotonic()
    page.wait_for_timeout(1000 * seconds)
    after, took = spent(peer.stream_server()), time.monotonic() - began
    frames = page.evaluate("bench.bytes()")["frames"] - shown["frames"]
    return {name: (after[name] - before[name]) / frames for name in after}, frames / took


def cores(peer: Ours, seconds: float) -> float:
    """Of the stream server alone, while nothing moves."""
    time.sleep(SETTLE_S)
    before = sum(spent(peer.stream_server()).values())
    time.sleep(seconds)
    return round((sum(spent(peer.stream_server()).values()) - before) / (1000 * seconds), 4)


def measured(wanted: argparse.Namespace) -> dict[str, Any]:
    """All of it, in one session."""
    peer = Ours()
    with ExitStack() as stack:
        place = Place(stack, wanted.out)
        viewing = stack.enter_context(ExitStack())
        page = viewing.enter_context(place.watched(peer))
        assert peer.client is not None
        began, used = time.monotonic(), busy()
        peer.client.tell("scroll")
        page.wait_for_timeout(1000 * SETTLE_S)
        rounds = [scrolled(peer, page, wanted.seconds) for _ in range(wanted.rounds)]
        peer.client.tell("halt")
        still = cores(peer, wanted.seconds)
        page.goto("about:blank")
        alone = cores(peer, wanted.seconds)
        host = round((busy() - used) / (time.monotonic() - began), 2)
    names = {name for threads, _ in rounds for name in threads}
    middle = {name: statistics.median(threads.get(name, 0.0) for threads, _ in rounds) for name in names}
    return {
        "commit": commit(),
        "load_average": os.getloadavg()[0],
        "host_cores": host,
        "frames_a_second": round(statistics.median(rate for _, rate in rounds), 1),
        "frame_ms": [round(sum(threads.values()), 2) for threads, _ in rounds],
        "threads_ms": {
            name: round(ms, 2) for name, ms in sorted(middle.items(), key=lambda one: -one[1]) if ms >= 0.005
        },
        "still_cores": still,
        "nobody_cores": alone,
    }


def main() -> int:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=6, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    say("a session, scrolling")
    print(json.dumps(measured(wanted), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
