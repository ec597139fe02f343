"""A session in a real virtual machine, over the whole road: page, WebRTC through the door, noVNC, and input back.

Under emulation everything takes its time: bounds are generous, and the desktop is a terminal, whose colours say
what was typed.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.browser import BrowserContext, Page, picture_colour, wait_rung
from tests.support.helper_lab import helper
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.vm, pytest.mark.browser, pytest.mark.timeout(900)]

SETTINGS = {
    "TRANSOM_DRIVER": "qemu",
    "TRANSOM_ACCELERATOR": "tcg",
    "TRANSOM_PROGRAM": "terminal",
    "TRANSOM_MEMORY_MIB": "1024",
    "TRANSOM_DISK_MIB": "1024",
    "TRANSOM_WIDTH": "640",
    "TRANSOM_HEIGHT": "480",
    "TRANSOM_BOOTING_DEADLINE_S": "600",
}
RED, GREEN, BLUE = (205, 0, 0), (0, 205, 0), (0, 0, 238)
"""What xterm makes of colours 1, 2 and 4."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with helper() as asked, running_server({**SETTINGS, "TRANSOM_HELPER_SOCKET": asked.socket}) as started:
        yield started
        assert "Traceback" not in started.log(), started.log()[-6000:]


def paint(page: Page, colour: int) -> None:
    """Have the terminal's shell fill its window."""
    page.locator("#screen").click(position={"x": 200, "y": 200})
    page.keyboard.type(f"tput setab {colour}; clear\n", delay=40)


def wait_colour(page: Page, wanted: tuple[int, int, int], seconds: float = 60) -> None:
    """H.264 in limited range moves a colour by a few steps."""
    for _ in range(int(seconds * 5)):
        seen = picture_colour(page, 0.3, 0.3)
        if all(abs(a - b) < 50 for a, b in zip(seen, wanted, strict=True)):
            return
        page.wait_for_timeout(200)
    raise AssertionError(f"saw {seen}, wanted {wanted}")


def test_a_virtual_machine_s_pixels_by_webrtc_and_by_novnc_and_input_back(
    viewer: BrowserContext, server: Server
) -> None:
    session = server.create()["id"]
    found = server.wait_for(session, "ready", "failed", seconds=600)
    assert found["state"] == "ready", found
    print("ms since the click:", found["timeline"])
    page = viewer.new_page()
    page.goto(f"{server.url}/session/{session}")
    wait_rung(page, "webrtc", seconds=180)
    paint(page, 2)
    wait_colour(page, GREEN)
    page.get_by_role("button", name="Use noVNC").click()
    wait_rung(page, "vnc", seconds=60)
    wait_colour(page, GREEN)
    paint(page, 1)
    wait_colour(page, RED)
    page.get_by_role("button", name="Open VM Desktop (WebRTC)").click()
    wait_rung(page, "webrtc", seconds=180)
    wait_colour(page, RED)
    paint(page, 4)
    wait_colour(page, BLUE)
    files = f"/api/sessions/{session}/files"
    with server.client() as client:
        client.timeout = httpx.Timeout(120)
        assert client.put(f"{files}/a", content=b"x" * 300_000).status_code == 201
        assert client.get(f"{files}/a").content == b"x" * 300_000
