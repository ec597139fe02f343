"""A viewer's Chromium, driven by Playwright, with what a namespace with only loopback needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, Error, Page, Route, expect, sync_playwright
from scripts import viewer_browser

from tests.support.server import Server


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = viewer_browser.launch(playwright, *flags)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def signed_in(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """A context whose cookie came from a one-use key, as a person's does."""
    size = {"width": 1400, "height": 900}
    with server.client() as client, viewer_browser.signed_in(browser, client, viewport=size) as context:
        yield context


def wait_rung(page: Page, *rungs: str, seconds: float = 20) -> None:
    """Wait until the page shows a picture by one of `rungs`."""
    page.wait_for_function(
        "rungs => window.transom && window.transom.state === 'live' && rungs.includes(window.transom.rung)",
        arg=list(rungs),
        timeout=seconds * 1000,
    )


def picture_colour(page: Page, x: float = 0.5, y: float = 0.5) -> tuple[int, int, int]:
    """The colour shown at a relative place of the picture, canvas or video."""
    red, green, blue = page.evaluate(
        """([x, y]) => {
            const shown = document.getElementById('screen');
            const [w, h] = shown.videoWidth ? [shown.videoWidth, shown.videoHeight] : [shown.width, shown.height];
            const canvas = document.createElement('canvas');
            canvas.width = w; canvas.height = h;
            const context = canvas.getContext('2d');
            context.drawImage(shown, 0, 0, w, h);
            return Array.from(context.getImageData(Math.floor(x * w), Math.floor(y * h), 1, 1).data.slice(0, 3));
        }""",
        [x, y],
    )
    return red, green, blue


__all__ = [
    "Browser",
    "BrowserContext",
    "Error",
    "Page",
    "Route",
    "chromium",
    "expect",
    "picture_colour",
    "signed_in",
    "wait_rung",
]
