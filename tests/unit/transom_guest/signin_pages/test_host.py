"""The host as the browser starts it, and what is made of what it writes down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.signin_pages import install
from transom_guest.signin_pages.asking import EACH_S, Answers, Asking
from transom_guest.signin_pages.host import said
from transom_guest.signin_pages.sight import CLEAR, SHOWN, SILENT, STARTING, UNWATCHED, Sight

NEVER = float("-inf")


class Host:
    """A process of its own, which a browser would have started."""

    def __init__(self, script: Path) -> None:
        self.process = subprocess.Popen(
            [str(script), "/some/manifest.json", "chrome-extension://x/"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def say(self, message: object) -> None:
        body = json.dumps(message).encode()
        assert self.process.stdin
        self.process.stdin.write(len(body).to_bytes(4, sys.byteorder) + body)
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout
        size = int.from_bytes(self.process.stdout.read(4), sys.byteorder)
        return json.loads(self.process.stdout.read(size))

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
    question = b'{"clear": "abc"}'
    assert said(BytesIO(len(question).to_bytes(4, sys.byteorder) + question + data)) == "abc"
    body = b'{"shown": true}'
    assert said(BytesIO(len(body).to_bytes(4, sys.byteorder) + body + data)) is True
    assert said(BytesIO((2**31).to_bytes(4, sys.byteorder) + data)) is None


def test_the_host_asks_the_browser_and_its_answer_comes_back(environment: dict[str, str]) -> None:
    asks = install.asks(environment)
    host, asking = Host(install.folder(environment) / "host"), Asking(asks)
    try:
        until(lambda: bool(os.listdir(asks)))
        assert asking.look(100.0) == NEVER
        first = host.hear()["ask"]
        assert asking.look(100.0 + EACH_S) == NEVER
        second = host.hear()["ask"]
        host.say({"clear": "none of its questions"})
        host.say({"clear": first})
        host.say({"clear": second})
        until(lambda: asking.look(100.1 + EACH_S) == 100.0 + EACH_S)
        assert Sight(install.shown(environment)).look() == STARTING, "an answer is no word of a page"
        host.end()
        assert not os.listdir(asks)
    finally:
        host.process.kill()
        host.process.wait()


def test_a_host_that_hangs_is_waited_for_and_one_that_died_is_not(environment: dict[str, str]) -> None:
    asks, script = install.asks(environment), install.folder(environment) / "host"
    hosts = [Host(script) for _ in range(3)]
    asking, now = Asking(asks), 100.0
    try:
        until(lambda: len(os.listdir(asks)) == 3)
        assert asking.look(now) == NEVER
        for host in hosts[:2]:
            host.say({"clear": host.hear()["ask"]})
        time.sleep(0.2)
        assert asking.look(now) == NEVER, "one of them has not answered"
        hosts[2].process.kill()
        hosts[2].process.wait()
        now += EACH_S
        assert asking.look(now) == NEVER
        for host in hosts[:2]:
            host.say({"clear": host.hear()["ask"]})
        until(lambda: asking.look(now) == now)
        assert len(os.listdir(asks)) == 2
    finally:
        for host in hosts:
            host.process.kill()
            host.process.wait()
    later = now + 100
    asking.look(later)
    asking.look(later + EACH_S)
    assert asking.look(later + 2 * EACH_S) == now, "nobody is there who could say"
    assert Asking(asks / "none").look(now) == NEVER


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab")), max_size=20))
def test_until_is_the_last_question_that_all_have_answered(heard: list[tuple[int, str]]) -> None:
    answers = Answers()
    for number in range(4):
        answers.asked(str(number), float(number), "ab")
    answers.asked("nobody", 9.0, "")
    whole: dict[int, set[str]] = {}
    for number, host in heard:
        answers.answered(str(number), host)
        whole.setdefault(number, set()).add(host)
    done = [float(number) for number, hosts in whole.items() if number < 4 and hosts == {"a", "b"}]
    assert answers.until <= max(done, default=NEVER)
    if len(done) == 1:
        assert answers.until == done[0]
