"""The stream of a real session, in a real Chromium, behind a link that becomes slow, lossy and fast again.

The bounds leave room for a busy host; `docs/measurements.md` has what was measured.
"""

from __future__ import annotations

import pytest

from tests.support.link_emulator import Shape
from tests.support.link_session import link_session

pytestmark = [pytest.mark.machine, pytest.mark.browser]


def test_the_stream_follows_the_drivers_link() -> None:
    with link_session() as session:
        session.watch(3, Shape(), Shape())
        shown = session.page.locator("#screen")
        place = shown.bounding_box()
        slow = session.watch(12, Shape(kbps=1000, delay_ms=40), Shape(delay_ms=40))
        assert 400 <= slow.kbps <= 1100
        assert slow.longest_gap(since=5) < 3
        assert slow.queue_ms(since=5) < 150
        lossy = session.watch(8, Shape(loss=0.05, delay_ms=10), Shape(delay_ms=10))
        assert lossy.longest_gap(since=3) < 3
        assert lossy.kbps >= 500
        floor = session.watch(9, Shape(kbps=200, delay_ms=40), Shape(delay_ms=40))
        assert min(look.scale for look in floor.looks if look.scale) < 100
        assert floor.longest_gap(since=5) < 3
        assert session.page.evaluate("window.transom.stats().then(told => told.width)") < 1280
        assert shown.bounding_box() == place, "a smaller picture is shown as large as a whole one"
