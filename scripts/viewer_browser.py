"""A viewer's Chromium for scripts and tests: its flags, and a sign-in by a one-use key as a person's is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Playwright

FLAGS = [
    # A host whose one address is loopback has WebRTC candidates on that only.
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--no-first-run",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]


def launch(playwright: Playwright, *more: str) -> Browser:
    """Debian's Chromium, headless, with `more` flags."""
    return playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS, *more])


@contextmanager
def signed_in(browser: Browser, api: httpx.Client, **context: Any) -> Iterator[BrowserContext]:
    """A context, made with `context` settings, whose cookie came from a one-use key of the API client's user."""
    me = api.get("/api/me").raise_for_status().json()["id"]
    key = api.post(f"/api/users/{me}/key").raise_for_status().json()["key"]
    made = browser.new_context(**context)
    page = made.new_page()
    page.goto(f"{str(api.base_url).rstrip('/')}/?key={key}")
    page.wait_for_url("**/dashboard/remote-cli")
    page.close()
    try:
        yield made
    finally:
        made.close()
