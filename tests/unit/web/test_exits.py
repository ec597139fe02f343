"""One's own way out on both pages, and the operator's panel, in front of a fake controller."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.browser import Page
from tests.unit.web.conftest import open_session, wait_until
from tests.unit.web.fake_controller import FakeController

pytestmark = pytest.mark.page
MOVED = "Your exit is being taken out of use. You have another one now."


def dashboard(page: Page, controller: FakeController) -> None:
    page.goto(f"{controller.url}/dashboard/remote-cli")
    page.get_by_role("button", name="Connect Demo", exact=True).wait_for()


def an_exit(**changes: Any) -> dict[str, Any]:
    return {
        "id": "ext_a",
        "label": "de-1",
        "scheme": "http",
        "host": "proxy.example",
        "port": 10001,
        "username": "us…",
        "region": "DE",
        "tags": [],
        "draining": False,
        "state": "healthy",
        "score": 97,
        "latency_ms": 41,
        "why": "",
        "address": "203.0.113.7",
        "bytes_up": 900,
        "bytes_down": 2_000_000,
        "users": ["ada"],
        "created_at": 0,
        "address_at": 0,
        "checked_at": 0,
        **changes,
    }


def test_the_dashboard_says_by_which_address_one_leaves(page: Page, controller: FakeController) -> None:
    dashboard(page, controller)
    page.get_by_text("You leave by 203.0.113.7").wait_for()
    page.get_by_text("3.4 MB in, 1.2 kB out").wait_for()
    assert page.locator("#exit").get_attribute("data-look") == "good"
    page.get_by_role("button", name="Measure again").click()
    wait_until(lambda: "POST /api/exit/check" in controller.calls, "the measuring")


def test_no_way_out_says_why(page: Page, controller: FakeController) -> None:
    controller.exit |= {
        "kind": "none",
        "exit": None,
        "address": None,
        "state": None,
        "word": "No exit works.",
    }
    dashboard(page, controller)
    page.get_by_text("No exit works.").wait_for()
    assert page.get_by_role("button", name="Measure again").count() == 0


def test_a_session_s_page_hears_of_a_move_at_once(page: Page, controller: FakeController) -> None:
    controller.ready()
    open_session(page, controller)
    page.get_by_text("You leave by 203.0.113.7").wait_for()
    controller.leaves(address="203.0.113.9", exit="ext_b", word=MOVED)
    page.get_by_text("You leave by 203.0.113.9").wait_for()
    page.get_by_text(MOVED).wait_for()
    page.get_by_text("3.4 MB in").wait_for()
    page.get_by_role("button", name="All right").click()
    wait_until(lambda: "POST /api/exit/seen" in controller.calls, "the word that it was read")


def test_who_is_asked_moves_by_a_click(page: Page, controller: FakeController) -> None:
    controller.exit |= {"asked": True, "word": "Another one is ready for you."}
    controller.ready()
    open_session(page, controller)
    page.get_by_role("button", name="Move to another exit").click()
    page.get_by_text("You leave by 203.0.113.8").wait_for()
    assert page.get_by_role("button", name="Move to another exit").count() == 0


def test_markup_in_a_word_is_text(page: Page, controller: FakeController) -> None:
    controller.exit |= {"word": "<img src=x onerror=alert(1)>"}
    dashboard(page, controller)
    page.get_by_text("<img src=x onerror=alert(1)>").wait_for()
    assert page.locator("#exit img").count() == 0


def test_the_operator_sees_pool_and_events_and_adds_a_list(page: Page, controller: FakeController) -> None:
    controller.exits = [
        an_exit(),
        an_exit(id="ext_b", label="de-2", state="quarantined", why="no answer in time", users=[], port=10002),
    ]
    controller.alerts = [
        {
            "number": 4,
            "at": 1_800_000_000_000,
            "kind": "exit_down",
            "level": "warning",
            "text": "de-2 does not work: no answer in time",
            "exit": "ext_b",
            "user": None,
            "acknowledged_at": None,
            "acknowledged_by": None,
        }
    ]
    dashboard(page, controller)
    page.locator("summary").filter(has_text="Exits").click()
    page.get_by_text("1 of 2 work, 0 are free.").wait_for()
    row = page.locator("[data-exit=ext_a]")
    assert "http://us…@proxy.example:10001" in row.inner_text()
    assert "203.0.113.7 · ada · score 97" in row.inner_text()
    page.locator("[data-exit=ext_b]").get_by_role("button", name="Drain").click()
    wait_until(lambda: "POST /api/exits/ext_b/drain" in controller.calls, "the draining")
    page.get_by_role("button", name="Seen").click()
    wait_until(lambda: page.get_by_role("button", name="Seen").count() == 0, "the event to be seen")
    page.get_by_label("A seller's list").fill("http://u:p@proxy.example:{1..2}")
    page.get_by_role("button", name="Add exits").click()
    page.get_by_text("2 added, 0 were known.").wait_for()
    assert "http://u:p@proxy.example:{1..2}" in controller.calls
    assert page.get_by_label("A seller's list").input_value() == ""
