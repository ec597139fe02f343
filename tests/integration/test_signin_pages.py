"""The extension in a real Chromium: which pages it says are to sign in at, and for how long."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, sync_playwright
from scripts import viewer_browser

from transom_guest.signin_pages import install
from transom_guest.signin_pages.asking import Asking
from transom_guest.signin_pages.sight import CLEAR, SHOWN, STARTING, Sight

pytestmark = pytest.mark.browser
SETTLE_S = 0.6
"""Seconds in which a page would have been said to be shown."""
FORM = "<form {}><input type=password></form>"
PAGES = {
    "/plain": "<p>nothing to see",
    "/field": FORM.format(""),
    "/code": "<input autocomplete='section-a one-time-code'>",
    "/unseen": FORM.format("style='display: none'"),
    "/framed": "<iframe src='http://localhost:{port}/field'></iframe>",
    "/button": "<iframe src='http://localhost:{port}/oauth/authorize'></iframe>",
    "/oauth/authorize": "<p>Allow",
    "/sso/start": "<p>the operator's",
    "/docs/login": "<p>how to sign in",
    "/shadow": "<x-form></x-form><script>document.querySelector('x-form').attachShadow({mode: 'closed'})"
    ".innerHTML = '<input type=password id=in>'</script>",
}


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        port = self.server.server_address[1]
        body = "<!doctype html><title>page</title>" + PAGES.get(self.path, "").replace("{port}", str(port))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None: ...


class Desk:
    """A browser with the extension, and what is known of its pages outside it."""

    def __init__(self, context: BrowserContext, sight: Sight, asking: Asking, url: str) -> None:
        self.context, self.sight, self.url = context, sight, url
        self.page = context.pages[0]
        self.asking = asking

    def go(self, path: str) -> None:
        self.page.bring_to_front()
        self.page.goto(self.url + path)

    def says(self, wanted: str) -> None:
        until(lambda: self.sight.look() == wanted, f"never {wanted}")

    def answers(self, seconds: float) -> bool:
        """Whether all is said to be clear from now on, within so long."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self.asking.look(time.monotonic()) > began:
                return True
            time.sleep(0.05)
        return False

    def stays(self, wanted: str) -> None:
        time.sleep(SETTLE_S)
        self.sight.anew()
        assert self.sight.look() == wanted


def until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, url: str) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("home")
    environment, profile = {"HOME": str(home)}, home / "profile"
    install.prepare(environment, profile, ("127.0.0.1/sso", "!127.0.0.1/docs/login"))
    sight = Sight(install.shown(environment))
    assert sight.look() == STARTING
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path="/usr/bin/chromium",
            args=[*viewer_browser.FLAGS, *install.flag(environment)],
            ignore_default_args=["--disable-extensions"],
            env={**os.environ, "HOME": str(home)},
        )
        try:
            yield Desk(context, sight, Asking(install.asks(environment)), url)
        finally:
            context.close()


def test_a_browser_says_once_that_it_looks(desk: Desk) -> None:
    desk.says(CLEAR)
    desk.go("/plain")
    desk.stays(CLEAR)


@pytest.mark.parametrize("path", ["/field", "/code", "/framed", "/oauth/authorize", "/sso/start"])
def test_a_page_to_sign_in_at_is_shown_until_another_is(desk: Desk, path: str) -> None:
    desk.go(path)
    desk.says(SHOWN)
    desk.go("/plain")
    desk.says(CLEAR)


def test_a_field_counts_for_as_long_as_it_takes_room(desk: Desk) -> None:
    desk.go("/unseen")
    desk.stays(CLEAR)
    for display, wanted in (("block", SHOWN), ("none", CLEAR)):
        desk.page.evaluate(f"document.forms[0].style.display = '{display}'")
        desk.says(wanted)
    desk.page.evaluate("document.body.innerHTML = '<input id=late>'")
    desk.page.evaluate("document.getElementById('late').type = 'password'")
    desk.says(SHOWN)
    desk.page.evaluate("document.body.innerHTML = ''")
    desk.says(CLEAR)


def test_a_page_that_changes_its_url_is_another(desk: Desk) -> None:
    desk.go("/plain")
    desk.page.evaluate("history.pushState(0, '', '/app/login')")
    desk.says(SHOWN)
    desk.page.evaluate("history.pushState(0, '', '/app')")
    desk.says(CLEAR)


def test_a_page_that_the_operator_excepts_is_none_by_its_url(desk: Desk) -> None:
    desk.go("/docs/login")
    desk.stays(CLEAR)


def test_a_provider_s_button_in_a_frame_is_no_page_to_sign_in_at(desk: Desk) -> None:
    desk.go("/button")
    desk.stays(CLEAR)


def test_a_field_in_a_closed_shadow_tree_counts_from_its_focus_on(desk: Desk) -> None:
    desk.go("/shadow")
    desk.page.keyboard.press("Tab")
    desk.says(SHOWN)
    desk.go("/plain")
    desk.says(CLEAR)


def test_the_tabs_of_a_sign_in_are_closed_and_others_stay(desk: Desk) -> None:
    desk.go("/field")
    desk.says(SHOWN)
    desk.go("/plain")
    desk.says(CLEAR)
    time.sleep(0.1)
    since = round(time.time() * 1000)
    for path in ("/oauth/authorize", "/plain"):
        tab = desk.context.new_page()
        tab.goto(desk.url + path)
        if path == "/oauth/authorize":
            desk.says(SHOWN)
            tab.goto(f"{desk.url}/code")
    leaving = desk.context.new_page()
    desk.sight.anew()
    leaving.goto(f"chrome-extension://{install.ID}/leave.html?since={since}", wait_until="commit")
    leaving.wait_for_url("about:blank")
    desk.says(SHOWN)
    desk.says(CLEAR)
    for _ in range(100):  # until its driver has heard of the tabs
        left = sorted(page.url.rpartition("/")[2] for page in desk.context.pages)
        if len(left) <= 3:
            break
        leaving.wait_for_timeout(100)
    assert left == ["about:blank", "plain", "plain"]
    desk.says(CLEAR)


def test_a_page_cannot_close_tabs(desk: Desk) -> None:
    desk.go("/plain")
    with pytest.raises(Exception, match="Failed to fetch"):
        desk.page.evaluate(f"fetch('chrome-extension://{install.ID}/leave.html')")
    assert Path(install.EXTENSION / "leave.html").is_file()


@pytest.mark.parametrize("path", ["/plain", "/unseen", "/button", "/docs/login"])
def test_a_page_that_is_clear_answers(desk: Desk, path: str) -> None:
    desk.go(path)
    assert desk.answers(20)


def test_pages_that_no_extension_may_look_at_count_as_clear(desk: Desk) -> None:
    desk.page.goto("chrome://version")
    assert desk.answers(20)
    desk.go("/plain")


@pytest.mark.parametrize("path", ["/field", "/framed", "/sso/start"])
def test_a_page_to_sign_in_at_is_not_said_to_be_clear(desk: Desk, path: str) -> None:
    desk.go(path)
    desk.says(SHOWN)
    assert not desk.answers(2)
    desk.go("/plain")
    assert desk.answers(20)


def test_a_page_that_does_nothing_more_is_not_said_to_be_clear(desk: Desk) -> None:
    desk.go("/plain")
    assert desk.answers(20)
    desk.page.evaluate("void setTimeout(() => { const end = Date.now() + 4000; while (Date.now() < end); })")
    time.sleep(0.2)
    assert not desk.answers(2)
    assert desk.answers(20)
