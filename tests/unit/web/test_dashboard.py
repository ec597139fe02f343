"""Sign-in and dashboard in a real Chromium, in front of a fake controller."""

from __future__ import annotations

import time

import pytest

from tests.support.browser import Browser, Page
from tests.unit.web.conftest import wait_until
from tests.unit.web.fake_controller import NO_POOL, SESSION, FakeController

pytestmark = pytest.mark.page


def dashboard(page: Page, controller: FakeController) -> None:
    page.goto(f"{controller.url}/dashboard/remote-cli")
    page.get_by_role("button", name="Connect Demo", exact=True).wait_for()


def test_a_key_in_the_address_signs_in_and_leaves_no_trace(
    browser: Browser, controller: FakeController
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{controller.url}/?key=good-key")
    page.wait_for_url("**/dashboard/remote-cli")
    page.get_by_text("ada", exact=True).first.wait_for()
    page.go_back()
    assert "good-key" not in page.url
    context.close()


def test_a_spent_key_is_refused_and_another_may_be_pasted(
    browser: Browser, controller: FakeController
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{controller.url}/?key=spent")
    page.get_by_text("This key is not valid").wait_for()
    assert page.url == f"{controller.url}/"
    page.get_by_label("One-use key").fill(f"{controller.url}/?key=good-key")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dashboard/remote-cli")
    context.close()


def test_a_page_that_needs_a_sign_in_asks_for_one_and_returns(
    browser: Browser, controller: FakeController
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{controller.url}/dashboard/remote-cli")
    page.get_by_label("One-use key").fill("good-key")
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard/remote-cli")
    context.close()


def test_who_is_signed_in_already_goes_straight_on(page: Page, controller: FakeController) -> None:
    page.goto(f"{controller.url}/")
    page.wait_for_url("**/dashboard/remote-cli")


@pytest.mark.parametrize(
    ("button", "provider"),
    [
        ("Connect Claude Code", "claude"),
        ("Connect Codex", "codex"),
        ("Connect Gemini", "gemini"),
        ("Connect Demo", "demo"),
        ("Open a desktop", None),
    ],
)
def test_a_card_opens_a_session_at_once(
    page: Page, controller: FakeController, button: str, provider: str | None
) -> None:
    dashboard(page, controller)
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_url(f"**/session/{SESSION}")
    ((key, body),) = controller.created
    assert key
    assert body.pop("width") == 1064
    assert body.pop("height") == 844
    assert body == ({"provider": provider} if provider else {})


def test_running_sessions_can_be_stopped(page: Page, controller: FakeController) -> None:
    controller.ready()
    dashboard(page, controller)
    page.get_by_role("link", name="Open").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("stopping").wait_for()


def test_saved_credentials_are_listed_and_forgotten(page: Page, controller: FakeController) -> None:
    now = int(time.time() * 1000)
    controller.credentials = [
        {"provider": "codex", "names": ["auth.json"], "created_at": now, "expires_at": now + 86_400_000}
    ]
    dashboard(page, controller)
    page.get_by_text("auth.json").wait_for()
    page.get_by_text("valid until").wait_for()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Forget").click()
    page.get_by_text("Nothing saved yet").wait_for()


def test_tokens_and_users_are_made(page: Page, controller: FakeController) -> None:
    dashboard(page, controller)
    page.get_by_text("API tokens").click()
    page.get_by_label("What is it for?").fill("laptop")
    page.keyboard.press("Enter")
    page.get_by_text("trn_secret").wait_for()
    page.locator("#tokens").get_by_text("laptop").wait_for()
    page.locator("summary").filter(has_text="Users").click()
    page.get_by_label("Name").fill("bob")
    page.keyboard.press("Enter")
    page.get_by_text("/?key=k").wait_for()
    wait_until(lambda: page.locator("#users li").count() == 2, "the new user's row")


def test_the_administrator_sees_machines_and_why_some_failed(page: Page, controller: FakeController) -> None:
    machine = {
        "id": "mch_" + "b" * 20,
        "driver": "namespace",
        "image": "sha256-0",
        "slot": 3,
        "phase": "parked",
        "phase_since": 1,
        "made_at": 1_800_000_000_000,
        "session": None,
        "warm": True,
        "stages": {},
        "ended_at": None,
        "outcome": None,
        "failed_stage": "",
        "cause": "",
        "usage": {"memory_bytes": 300 * 2**20, "pids": 41},
    }
    failed = machine | {
        "id": "mch_" + "c" * 20,
        "phase": "over",
        "failed_stage": "display",
        "cause": "<i>no X</i>",
    }
    controller.machines = {
        "pool": NO_POOL
        | {"most": 4, "target": 2, "parked": 1, "memory_bytes": 300 * 2**20, "hits": 3, "misses": 1},
        "funnel": [
            {"driver": "namespace", "warm": True, "outcome": "failed", "failed_stage": "display", "count": 2}
        ],
        "machines": [machine, failed],
    }
    dashboard(page, controller)
    page.get_by_text("Machines", exact=True).click()
    page.get_by_text("1 of 2 warm machines wait, 300 MiB; 3 of 4 sessions found one.").wait_for()
    row = page.locator("#machines li")
    assert row.count() == 1
    assert "slot 3 · 300 MiB · 41 processes" in row.inner_text()
    assert "warm failed at display" in page.locator("#funnel").inner_text()
    assert "<i>no X</i>" in page.locator("#machine-failures").inner_text()
    page.get_by_role("button", name="Log").click()
    page.get_by_text("keeper: <b>no display</b>").wait_for()
