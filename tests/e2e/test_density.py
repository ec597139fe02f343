"""A dense screen gets a dense desktop, whose programs draw for it at once and without a restart."""

from __future__ import annotations

import re
import subprocess
from typing import Any
from urllib.parse import quote

import pytest
from scripts import viewer_browser

from tests.support.browser import Browser, Page, picture_colour, wait_rung
from tests.support.desktop import display_of
from tests.support.server import Server

pytestmark = [pytest.mark.machine, pytest.mark.browser]

DENSE = "data:text/html," + quote(
    "<title>dense</title><body style='margin:0;background:rgb(200,30,30)'><script>"
    "setInterval(() => document.body.style.background = devicePixelRatio === 2 ? 'rgb(30,160,60)'"
    " : 'rgb(200,30,30)', 100)"
    "</script>"
)


def wait_green(page: Page, green: bool) -> None:
    for _ in range(200):
        red, shown, _blue = picture_colour(page, 0.5, 0.7)
        if (shown > 110 and red < 90) is green:
            return
        page.wait_for_timeout(100)
    raise AssertionError(picture_colour(page, 0.5, 0.7))


def picture_size(page: Page) -> list[int]:
    found: list[int] = page.evaluate(
        "async () => { const { width, height } = await transom.stats(); return [width, height]; }"
    )
    return found


def test_a_dense_screen_gets_a_dense_desktop_and_an_ordinary_one_an_ordinary(
    browser: Browser, server: Server
) -> None:
    session = server.create(start_url=DENSE)["id"]
    server.wait_for(session, "ready")
    sizes: dict[float, list[int]] = {}
    for ratio in (2, 1):
        options: dict[str, Any] = {"viewport": {"width": 1200, "height": 700}, "device_scale_factor": ratio}
        with server.client() as client, viewer_browser.signed_in(browser, client, **options) as viewer:
            page = viewer.new_page()
            page.goto(f"{server.url}/session/{session}")
            wait_rung(page, "webrtc")
            wait_green(page, ratio == 2)
            page.wait_for_timeout(1000)
            sizes[ratio] = picture_size(page)
            page.close()
    assert abs(sizes[2][0] - 2 * sizes[1][0]) <= 4, sizes


def test_a_phones_browser_is_whole_on_its_dense_screen(browser: Browser, server: Server) -> None:
    session = server.create(start_url=DENSE)["id"]
    server.wait_for(session, "ready")
    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 720}, "is_mobile": True, "has_touch": True}
    with display_of(server.machine(session)) as display, server.client() as client:
        for ratio in (2, 3):
            phone["device_scale_factor"] = ratio
            with viewer_browser.signed_in(browser, client, **phone) as viewer:
                page = viewer.new_page()
                page.goto(f"{server.url}/session/{session}")
                wait_rung(page, "webrtc")
                for _ in range(150):
                    if widths(display) == (390 * ratio, 390 * ratio):
                        break
                    page.wait_for_timeout(100)
                page.wait_for_timeout(500)
                assert widths(display) == (390 * ratio, 390 * ratio)
                page.close()


def widths(display: str) -> tuple[int, int]:
    """Pixels: the desktop's, and the widest of the browser's windows."""

    def told(*what: str) -> str:
        command = ("xwininfo", "-display", display, "-root", *what)
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout

    desktop = re.search(r"Width: (\d+)", told("-stats"))
    assert desktop
    windows = re.findall(r'"dense - Chromium".*?(\d+)x\d+\+', told("-tree"))
    return int(desktop[1]), max(map(int, windows), default=0)
