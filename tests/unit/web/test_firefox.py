"""The session's page in Firefox, where that is otherwise than in Chromium, before a fake controller."""

from __future__ import annotations

import pytest

from tests.support.firefox import Firefox, firefox
from tests.unit.web.conftest import wait_until
from tests.unit.web.fake_controller import SESSION, FakeController

pytestmark = pytest.mark.page
ESCAPE = "\ue00c"
"""WebDriver's sign for the key."""
CONFIRM = "document.getElementById('confirm')"


END = "document.getElementById('end')"


def ask_to_end(page: Firefox) -> None:
    page.wait(f"!{END}.disabled")
    page.evaluate(f"{END}.click()")
    page.wait(f"{CONFIRM}.open")


def test_escape_ends_no_session_after_an_end_that_failed(controller: FakeController) -> None:
    controller.ready()
    controller.away = True
    ended = f"DELETE /api/sessions/{SESSION}"
    with firefox() as page:
        page.goto(f"{controller.url}/static/css/transom.css")
        page.evaluate("(document.cookie = 'transom=c; path=/')")
        page.goto(f"{controller.url}/session/{SESSION}")
        page.wait("document.getElementById('facts').children.length")
        ask_to_end(page)
        page.evaluate(f"{CONFIRM}.querySelector('[value=yes]').click()")
        wait_until(lambda: ended in controller.calls, "the end that fails")
        controller.away = False
        ask_to_end(page)
        page.type(ESCAPE)
        page.wait(f"!{CONFIRM}.open")
        ask_to_end(page)
        page.evaluate(f"{CONFIRM}.querySelector('[value=yes]').click()")
        wait_until(lambda: controller.session["state"] == "stopping", "the end that is confirmed")
    assert controller.calls.count(ended) == 2, "by the button each time, and by Escape never"
