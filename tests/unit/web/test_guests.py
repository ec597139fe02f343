"""The page of who came by a link, and what its owner sees of links: in Chromium, before a fake controller."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.browser import Page, wait_rung
from tests.unit.web.conftest import open_session, wait_until
from tests.unit.web.fake_controller import LINK, SESSION, FakeController
from tests.unit.web.test_quality import picture

pytestmark = pytest.mark.browser


def drag(page: Page, file: Path, kind: str) -> None:
    """A file is dragged over the page or dropped there, as the browser has it from a person's file manager."""
    with_file = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
    devtools = page.context.new_cdp_session(page)
    devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 400, "data": with_file})
    devtools.detach()


@pytest.mark.parametrize(
    "path",
    [
        f"watch/{SESSION}/{LINK}",
        f"watch/{SESSION}/{LINK}/connect",
        f"session/{SESSION}/connect",
        f"session/{SESSION}/recording",
    ],
)
def test_a_file_that_is_dropped_takes_no_page_s_place(
    page: Page, controller: FakeController, tmp_path: Path, path: str
) -> None:
    controller.ready()
    address = f"{controller.url}/{path}"
    file = tmp_path / "dropped.html"
    file.write_text("<title>dropped</title>")
    page.goto(address)
    noted = "(event) => setTimeout(() => (window.over = event.defaultPrevented))"
    page.evaluate(f"window.addEventListener('dragover', {noted})")
    if path == f"watch/{SESSION}/{LINK}":
        wait_rung(page, "webrtc")
    page.wait_for_load_state("networkidle")
    drag(page, file, "dragEnter")

    def over() -> bool:
        drag(page, file, "dragOver")
        return page.evaluate("window.over") is not None

    wait_until(over, "the file over the page")
    drag(page, file, "drop")
    page.wait_for_timeout(300)
    assert page.url == address
    assert page.evaluate("window.over") is True, "it was over the page, which did not let it in"
    if path == f"watch/{SESSION}/{LINK}":
        page.get_by_text("Files are the owner's to give").wait_for(timeout=5000)
        wait_rung(page, "webrtc")


def test_a_guest_is_told_when_it_ends_and_why_it_has(page: Page, controller: FakeController) -> None:
    controller.link_expires_at = int(time.time() * 1000) + 63_000
    controller.ready()
    page.goto(f"{controller.url}/watch/{SESSION}/{LINK}")
    wait_rung(page, "webrtc")
    page.locator("#side").get_by_text("This link ends at ").wait_for(timeout=10_000)
    picture(page, "guest")
    page.locator("#toast").get_by_text("This link ends in less than a minute").wait_for(timeout=15_000)
    assert page.get_by_text("Why does it not connect?").is_hidden()
    controller.change(state="ended", reason="stopped")
    page.get_by_text("Whoever it belongs to ended it.").wait_for(timeout=10_000)
    page.locator("#parting").wait_for(state="hidden", timeout=5000)


def test_a_guest_looks_why_it_does_not_connect(page: Page, controller: FakeController) -> None:
    controller.mute = True
    controller.ready()
    page.goto(f"{controller.url}/watch/{SESSION}/{LINK}")
    link = page.get_by_role("link", name="Why does it not connect?")
    link.wait_for(timeout=20_000)
    picture(page, "guest-slow")
    controller.mute = False
    link.click()
    page.get_by_text("All well: the picture comes directly, by UDP.").wait_for(timeout=30_000)
    assert page.get_by_text("Answered in").count() == 1, "the socket"
    wait_until(lambda: len(controller.looks) == 1, "one look, of the guest's own")
    picture(page, "guest-connect")
    page.get_by_role("button", name="Look again").click()
    wait_until(lambda: len(controller.looks) == 2, "another")
    (first, one), (second, two) = controller.looks
    assert first == second and two > one, "by the same name: it counts as the same"
    page.get_by_role("link", name="Back to the desktop").click()
    page.wait_for_url(f"{controller.url}/watch/{SESSION}/{LINK}")


def test_a_link_s_row_keeps_the_focus_while_it_lives(page: Page, controller: FakeController) -> None:
    a_link = {"label": "Guest", "kind": "view", "created_at": 0, "expires_at": None, "over": None}
    controller.links = [{**a_link, "id": "lnk_a", "label": "Ada"}, {**a_link, "id": "lnk_b", "label": "Bob"}]
    controller.ready()
    open_session(page, controller)
    page.locator(".invite summary").click(timeout=15_000)
    bob = page.get_by_role("listitem").filter(has_text="Bob")
    bob.get_by_role("button", name="Withdraw").focus()
    controller.links = [
        {**a_link, "id": "lnk_b", "label": "Bob", "expires_at": int(time.time() * 1000) + 130_000},
        {**a_link, "id": "lnk_c", "label": "Eve"},
    ]
    page.evaluate("document.querySelector('.invite').dispatchEvent(new Event('toggle'))")
    bob.get_by_text("watches, 2 minutes left").wait_for(timeout=5000)
    page.get_by_role("listitem").filter(has_text="Eve").wait_for(timeout=5000)
    assert page.get_by_role("listitem").filter(has_text="Ada").count() == 0
    assert page.evaluate("document.activeElement.closest('li')?.textContent").startswith("Bob")


def test_a_new_link_s_address_stays_while_others_are_withdrawn(
    page: Page, controller: FakeController
) -> None:
    a_link = {"kind": "view", "created_at": 0, "expires_at": None, "over": None}
    controller.links = [{**a_link, "id": "lnk_a", "label": "Ada"}]
    controller.ready()
    open_session(page, controller)
    page.locator(".invite summary").click(timeout=15_000)
    page.get_by_label("Name", exact=True).fill("Bob")
    page.get_by_role("button", name="Make a link").click()
    address = page.get_by_label("The link")
    address.wait_for()
    for name, stays in (("Ada", True), ("Bob", False)):
        row = page.get_by_role("listitem").filter(has_text=name)
        row.get_by_role("button", name="Withdraw").click()
        row.wait_for(state="detached")
        assert address.is_visible() is stays


@pytest.mark.parametrize(
    ("code", "why", "told", "muted"),
    [
        (4411, "this link was withdrawn", "This link was withdrawn.", False),
        (4401, "", "Open the link again: this browser is not let in any more.", True),
    ],
)
def test_a_guest_s_page_that_is_over_asks_for_nothing_and_says_only_what_holds(
    page: Page, controller: FakeController, code: int, why: str, told: str, muted: bool
) -> None:
    controller.guests_recorded = {"state": "on", "why": None}
    controller.link_expires_at = int(time.time() * 1000) + 3_000_000
    controller.mute = muted
    controller.ready()
    page.goto(f"{controller.url}/watch/{SESSION}/{LINK}")
    page.get_by_text("This session is recorded").wait_for()
    if not muted:
        wait_rung(page, "webrtc")
        page.locator("#side").get_by_text("This link ends at ").wait_for(timeout=10_000)
    controller.close_sockets(code, why)
    page.get_by_text(told).wait_for()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/" in request.url else None)
    page.wait_for_timeout(4500)  # two looks long
    assert not asked
    assert page.get_by_text("This session is recorded").is_hidden()
    assert page.locator("#side").get_by_text("This link").all_inner_texts() == []
    assert page.get_by_role("toolbar").get_by_role("button").all_inner_texts() == []
