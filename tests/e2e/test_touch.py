"""A phone's fingers are fingers on the desktop: what a page there feels of them."""

from __future__ import annotations

import re
import subprocess
import time
from typing import Any
from urllib.parse import quote

import pytest
from scripts import viewer_browser

from tests.support.browser import Browser, expect, wait_rung
from tests.support.desktop import display_of
from tests.support.keyboards import Fingers
from tests.support.server import Server

pytestmark = [pytest.mark.machine, pytest.mark.browser]

PAGE = "data:text/html," + quote(
    """<meta name=viewport content="width=device-width,initial-scale=1"><title>touch</title>
<body style="margin:0;height:9000px;background:linear-gradient(red,blue)"><script>
let taps = 0, most = 0, fingers = 0, clicks = 0;
addEventListener("touchstart", ({ touches }) => { taps += 1; most = Math.max(most, fingers = touches.length); });
for (const type of ["touchend", "touchcancel"]) addEventListener(type, ({ touches }) => { fingers = touches.length; });
addEventListener("click", () => (clicks += 1));
setInterval(() => {
  const coarse = matchMedia("(pointer: coarse)").matches, hover = matchMedia("(hover: hover)").matches;
  const here = { taps, most, fingers, clicks, y: Math.round(scrollY), zoom: Math.round(visualViewport.scale * 100) };
  const can = { touches: navigator.maxTouchPoints, coarse: Number(coarse), hover: Number(hover) };
  document.title = Object.entries({ ...here, ...can }).map(([name, value]) => name + "=" + value).join(" ");
}, 50);
</script>"""
)

DESKTOP = 640
"""Pixels that a phone's desktop is wide."""


def asked(*command: str) -> str:
    """What an X client of this host says of the desktop."""
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout


class Told:
    """What the desktop's page says of itself, by its window's title."""

    def __init__(self, display: str) -> None:
        self._display = display

    def now(self) -> dict[str, int]:
        tree = asked("xwininfo", "-display", self._display, "-root", "-tree")
        return {name: int(value) for name, value in re.findall(r"\b([a-z]+)=(\d+)", tree)}

    def wait(self, seconds: float = 15, **wanted: range | int) -> dict[str, int]:
        """Wait until each of these is as wanted; then all that is told."""
        end = time.monotonic() + seconds
        while not all(
            now.get(name, -1) in (value if isinstance(value, range) else (value,))
            for now in [self.now()]
            for name, value in wanted.items()
        ):
            assert time.monotonic() < end, f"told {self.now()}, wanted {wanted}"
            time.sleep(0.1)
        return self.now()


def test_a_phones_fingers_tap_scroll_and_pinch_as_fingers_and_a_mouse_is_a_mouse(
    browser: Browser, server: Server
) -> None:
    session = server.create(start_url=PAGE)["id"]
    server.wait_for(session, "ready")
    options: dict[str, Any] = {
        "viewport": {"width": 390, "height": 720},
        "has_touch": True,
        "is_mobile": True,
    }
    with display_of(server.machine(session)) as display, server.client() as client:
        told = Told(display)
        told.wait(touches=0, coarse=0, hover=1)
        assert '"evdev"' in asked("xprop", "-display", display, "-root", "_XKB_RULES_NAMES"), "keys' codes"
        with viewer_browser.signed_in(browser, client, **options) as phone:
            page = phone.new_page()
            page.goto(f"{server.url}/session/{session}")
            wait_rung(page, "webrtc")
            choice = page.get_by_role("button", name="Fingers: touch")
            expect(choice).to_be_visible(timeout=15_000)
            told.wait(touches=10, coarse=1, hover=0)
            box = page.locator("#screen").bounding_box()
            assert box
            x, y = box["x"] + 180, box["y"] + 350
            page.touchscreen.tap(x, y)
            told.wait(taps=1, clicks=1, fingers=0)
            fingers = Fingers(page)
            fingers.down((x, y))
            for step in range(8):
                fingers.move((x, y - 25 * step))
                page.wait_for_timeout(16)
            fingers.up()
            # as far as the finger, less what a finger moves before it counts; or further, where it was thrown
            carried = 25 * 7 * DESKTOP / box["width"]
            told.wait(y=range(int(carried * 0.8), 9000), fingers=0, clicks=1)
            fingers.down((x - 20, y), (x + 20, y))
            for step in range(10):
                fingers.move((x - 20 - 10 * step, y), (x + 20 + 10 * step, y))
            told.wait(fingers=2, most=2)
            fingers.up()
            told.wait(zoom=range(130, 600), fingers=0)
            fingers.down((x, y))
            told.wait(fingers=1)
            page.evaluate("window.dispatchEvent(new Event('blur'))")
            told.wait(fingers=0)
            fingers.up()
            choice.click()
            told.wait(touches=0, coarse=0, hover=1)
            page.get_by_role("button", name="Fingers: pointer").click()
            told.wait(touches=10)
            page.close()
        told.wait(touches=0, coarse=0, hover=1)
