"""A browser, a display to show over VNC, and a fake controller for each test."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Browser, Page, chromium
from tests.unit.web.fake_controller import SESSION, FakeController
from tests.unit.web.fake_guest import FakeGuest

VNC_COLOUR = (30, 158, 60)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def vnc_socket() -> Iterator[Path]:
    """An X display in one colour, served as RFB on a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="transom-web-"))
    path = folder / "vnc.sock"
    told, tells = os.pipe()
    options = "-geometry 800x600 -SecurityTypes None -rfbport -1 -nolisten tcp -AlwaysShared -UseBlacklist=0"
    server = subprocess.Popen(
        ["Xvnc", "-displayfd", str(tells), "-rfbunixpath", str(path), *options.split()],
        pass_fds=(tells,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(tells)
    with open(told) as number:  # a free one, of Xvnc's choice: another file's may start at the same moment
        wait_until(lambda: select.select([number], [], [], 0)[0], "Xvnc")
        display = int(number.readline())
    wait_until(path.exists, "Xvnc's socket")
    colour = "#{:02x}{:02x}{:02x}".format(*VNC_COLOUR)
    looks = ["-geometry", "300x120+0+0", "-bg", colour, "-fg", "white", "-b", "0", "-e", "cat"]
    client = subprocess.Popen(
        ["xterm", "-display", f":{display}", *looks],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield path
    finally:
        for process in (client, server):
            process.terminate()
            process.wait(timeout=10)
        shutil.rmtree(folder)


@pytest.fixture
def controller(vnc_socket: Path) -> Iterator[FakeController]:
    guest = FakeGuest()
    fake = FakeController(guest, vnc_socket)
    fake.start()
    try:
        yield fake
    finally:
        fake.stop()
        guest.close()


@pytest.fixture
def page(browser: Browser, controller: FakeController) -> Iterator[Page]:
    """A signed-in page; whatever it complained of by itself fails the test."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.add_cookies([{"name": "transom", "value": "c", "url": controller.url}])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security" in said.text else None)
    yield page
    context.close()
    assert not errors


def open_session(page: Page, controller: FakeController) -> None:
    """The session's page, before there is a picture."""
    page.goto(f"{controller.url}/session/{SESSION}")


def wait_until(true: object, what: str, seconds: float = 10) -> None:
    """Wait until `true()` is."""
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.02)
