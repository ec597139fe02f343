"""The host as the browser starts it, and what is made of what it writes down."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.signin_pages import install
from transom_guest.signin_pages.host import said
from transom_guest.signin_pages.sight import CLEAR, SHOWN, SILENT, STARTING, UNWATCHED, Sight


class Host:
    """A process of its own, which a browser would have started."""

    def __init__(self, script: Path) -> None:
        self.process = subprocess.Popen(
            [str(script), "/some/manifest.json", "chrome-extension://x/"], stdin=subprocess.PIPE
        )

    def say(self, message: object) -> None:
        body = json.dumps(message).encode()
        assert self.process.stdin
        self.process.stdin.write(len(body).to_bytes(4, sys.byteorder) + body)
        self.process.stdin.flush()

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(10) == 0


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    found = {"HOME": str(tmp_path)}
    install.prepare(found, tmp_path / "profile", ())
    return found


def test_a_page_is_shown_from_the_host_s_word_on_until_its_next(environment: dict[str, str]) -> None:
    sight, host = Sight(install.shown(environment)), Host(install.folder(environment) / "host")
    try:
        assert sight.look() == STARTING, "nothing was said"
        host.say({"shown": False})
        until(lambda: sight.look() != STARTING)
        assert sight.look() == CLEAR
        host.say({"shown": True})
        until(lambda: sight.look() == SHOWN)
        host.say({"shown": False})
        until(lambda: sight.look() == CLEAR)
        host.end()
        assert sight.look() == CLEAR
    finally:
        host.process.kill()
        host.process.wait()


def test_a_page_that_came_and_went_between_two_looks_is_seen(environment: dict[str, str]) -> None:
    sight, host = Sight(install.shown(environment)), Host(install.folder(environment) / "host")
    host.say({"shown": False})
    until(lambda: sight.look() == CLEAR)
    host.say({"shown": True})
    host.say({"shown": False})
    host.end()
    assert (sight.look(), sight.look()) == (SHOWN, CLEAR)
    other = Sight(install.shown(environment))
    other.anew()
    assert other.look() == CLEAR, "what was before does not count"


def test_a_host_that_dies_without_its_last_word_leaves_that_unsaid_until_another_says(
    environment: dict[str, str],
) -> None:
    sight, host = Sight(install.shown(environment)), Host(install.folder(environment) / "host")
    host.say({"shown": True})
    until(lambda: sight.look() == SHOWN)
    host.process.kill()
    host.process.wait()
    sight.look()
    assert sight.look() == SILENT
    again = Host(install.folder(environment) / "host")
    again.say({"shown": False})
    again.end()
    sight.look()
    assert sight.look() == CLEAR


def test_where_nobody_looks_that_is_what_is_said(tmp_path: Path) -> None:
    assert Sight(tmp_path / "none").look() == UNWATCHED
    (tmp_path / "file").touch()
    assert Sight(tmp_path / "file").look() == SILENT


@given(st.binary(max_size=40))
def test_any_bytes_are_a_word_or_the_end(data: bytes) -> None:
    assert said(BytesIO(data)) in (True, False, None)
    body = b'{"shown": true}'
    assert said(BytesIO(len(body).to_bytes(4, sys.byteorder) + body + data)) is True
    assert said(BytesIO((2**31).to_bytes(4, sys.byteorder) + data)) is None
