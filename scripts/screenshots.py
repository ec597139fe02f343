#!/usr/bin/env python3
"""Make the pictures of the documents from a running server: the dashboard, and a session with its desktop.

    TRANSOM_TOKEN=... scripts/screenshots.py --url http://127.0.0.1:4000 [--to docs/pictures] [--provider demo]

The token is an administrator's, as `transom serve --json` prints one; not an argument, which every user of the host
could read. A session is made for the picture and ended afterwards.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import httpx
from playwright.sync_api import BrowserContext, Page, sync_playwright
from viewer_browser import launch, signed_in

SIZE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
LIVE = "() => window.transom && window.transom.state === 'live'"


def dashboard(context: BrowserContext, url: str, to: Path) -> None:
    """The cards, sessions and credentials."""
    page = context.new_page()
    page.goto(f"{url}/dashboard/remote-cli")
    page.locator("#cards button").first.wait_for()
    page.wait_for_timeout(500)
    page.screenshot(path=to)


def session(context: BrowserContext, url: str, session_id: str, to: Path) -> None:
    """A session once its picture is live and the sign-in has begun."""
    page = context.new_page()
    page.goto(f"{url}/session/{session_id}")
    page.wait_for_function(LIVE, timeout=120_000)
    settle(page)
    page.screenshot(path=to)
    page.close()


def settle(page: Page) -> None:
    """Give the desktop time to take its new size and to paint."""
    page.wait_for_timeout(4000)


def main() -> None:
    """Read the options and make every picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--to", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--provider", default="demo")
    options = parser.parse_args()
    token = os.environ.get("TRANSOM_TOKEN")
    if not token:
        parser.error("TRANSOM_TOKEN is needed")
    options.to.mkdir(parents=True, exist_ok=True)
    url = options.url.rstrip("/")
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as api, sync_playwright() as playwright:
        made = api.post("/api/sessions", json={"provider": options.provider}).raise_for_status().json()["id"]
        browser = launch(playwright, "--force-device-scale-factor=1")
        try:
            for scheme in ("light", "dark"):
                with signed_in(browser, api, viewport=SIZE, color_scheme=scheme) as context:
                    session(context, url, made, options.to / f"session-{scheme}.png")
                    dashboard(context, url, options.to / f"dashboard-{scheme}.png")
            with signed_in(browser, api, viewport=PHONE, color_scheme="light") as context:
                session(context, url, made, options.to / "session-phone.png")
        finally:
            browser.close()
            api.delete(f"/api/sessions/{made}")


if __name__ == "__main__":
    main()
