"""The stream of a real session, in a real Chromium, behind a link that becomes slow, lossy and fast again.

A busy host is no slow link: what it takes of the page's time is taken off each pause, and where it leaves everybody
waiting for a processor the bounds are looser. `docs/measurements.md` has what was measured on a quiet one.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.link_emulator import Shape
from tests.support.link_session import Watched, link_session

pytestmark = [pytest.mark.machine, pytest.mark.browser]

BUSY = 0.6
"""Share of the time in which something waits for a processor, over which the host limits as well as the link."""
NEAR_MS = 80
"""Milliseconds in the link's queue at most, three seconds after it became slow..."""
OFTEN = 0.8
"""...in so many of the looks, and a half more for frames on their way."""


@dataclass(frozen=True)
class Bounds:
    """`used`: share of the link; `pause_s`: seconds without a picture; `queue_ms`: what stands in the link's queue."""

    used: float
    pause_s: float
    queue_ms: float


QUIET, LOADED = Bounds(0.7, 1.0, 1.5 * NEAR_MS), Bounds(0.25, 3, 3 * NEAR_MS)
DROP_S = 0.5
"""Seconds more of a pause, where the link becomes slow and is full at once."""


def judge(seen: Watched, kbps: float, free: Watched, more_s: float = 0.0) -> None:
    """Pauses from the first second on, the queue from the third, and the use of `kbps` from the fourth."""
    bounds = QUIET if seen.pressure < BUSY else LOADED
    told = f"{bounds} with a pressure of {seen.pressure:.2f}: {seen.looks}"
    assert seen.linked_gap() < bounds.pause_s + more_s + free.longest_gap(since=1), told
    assert min(look.queue_ms for look in seen.looks if 0.5 < look.at <= 3) < NEAR_MS, told
    assert seen.queue_ms(since=3, share=OFTEN) < bounds.queue_ms, told
    assert bounds.used < seen.used(since=4) / min(kbps, free.used(since=1)) < 1.1, told


def test_the_stream_follows_the_drivers_link() -> None:
    with link_session() as session:
        free = session.watch(3, Shape(), Shape())
        shown = session.page.locator("#screen")
        shown.wait_for(state="visible")
        place = shown.bounding_box()
        judge(session.watch(9, Shape(kbps=500, delay_ms=40), Shape(delay_ms=40)), 500, free, DROP_S)
        lossy = session.watch(9, Shape(kbps=1500, loss=0.05, delay_ms=10), Shape(delay_ms=10))
        judge(lossy, 1500 * 0.95, free)
        floor = session.watch(10, Shape(kbps=200, delay_ms=40), Shape(delay_ms=40))
        assert min(look.scale for look in floor.looks if look.scale) < 100
        assert floor.linked_gap(since=3) < (1.5 if floor.pressure < BUSY else LOADED.pause_s)
        assert session.page.evaluate("window.transom.stats().then(told => told.width)") < 1280
        assert shown.bounding_box() == place, "a smaller picture is shown as large as a whole one"
