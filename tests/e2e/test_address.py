"""The viewer's address changes under a live session: its connections stand still without a word, new ones work."""

from __future__ import annotations

import pytest

from tests.e2e.test_ladder import (
    DESKTOP,
    HELD,
    LOOSE,
    MOST_MS,
    SLACK_MS,
    WATCH,
    climbs_back,
    see,
    stood,
    typed,
)
from tests.support.link_session import link_session

pytestmark = [pytest.mark.machine, pytest.mark.browser]


@pytest.fixture(autouse=True)
def no_session_is_left() -> None:
    """The session is the link's own, and goes with it."""


def test_the_viewers_address_changes() -> None:
    with link_session(DESKTOP) as watched:
        page = watched.page
        page.evaluate(WATCH)
        page.locator("#screen").click(position={"x": 300, "y": 500})
        page.wait_for_timeout(1500)
        page.keyboard.down("Shift")
        see(page, HELD)
        epoch = page.evaluate("window.transom.epoch")
        page.evaluate("seen.longest = 0")
        before = typed(page)
        watched.link.move()
        for _ in range(3):
            page.keyboard.press("x")
        page.wait_for_function(f"() => window.transom.epoch > {epoch}", timeout=10_000)
        page.wait_for_timeout(500)
        assert stood(page) < MOST_MS + SLACK_MS
        said = "may not have arrived" in page.locator("#toast").inner_text()
        assert typed(page) - before == (0 if said else 3)
        page.keyboard.up("Shift")
        climbs_back(page)
        see(page, LOOSE)
