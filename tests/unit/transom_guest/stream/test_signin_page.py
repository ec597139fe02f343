"""The page of a sign-in: shown from a pause until the browser has left it, and has had time to draw that."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from transom_guest.stream import signin_page
from transom_guest.stream.signin_page import AGAIN_S, SHOWN_S, SigninPage


class Browser:
    """Fails as often as it is told, and is written down with each wait."""

    def __init__(self, failures: int = 0) -> None:
        self.did: list[str | float] = []
        self._failures = failures

    async def leave(self) -> None:
        self.did.append("leave")
        self._failures -= 1
        if self._failures >= 0:
            raise OSError("it is just being started")

    async def sleep(self, seconds: float) -> None:
        self.did.append(seconds)


def page(browser: Browser, note: Path, monkeypatch: pytest.MonkeyPatch) -> SigninPage:
    monkeypatch.setattr(signin_page.asyncio, "sleep", browser.sleep)
    return SigninPage(browser.leave, note)


async def test_it_is_left_once_the_blank_one_was_taken_and_had_its_time_to_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(failures=2)
    shown = page(browser, tmp_path / "note", monkeypatch)
    shown.begins()
    await shown.left()
    assert browser.did == ["leave", AGAIN_S, "leave", AGAIN_S, "leave", SHOWN_S]
    assert SHOWN_S >= 0.5, "seconds that a busy machine's browser takes to draw a blank page"
    assert not shown.shown


async def test_it_is_shown_until_then_also_to_a_process_that_comes_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, browser = tmp_path / "note", Browser()
    assert not page(browser, note, monkeypatch).shown
    page(browser, note, monkeypatch).begins()
    after = page(browser, note, monkeypatch)
    assert after.shown
    await after.left()
    assert not page(browser, note, monkeypatch).shown


async def test_who_is_cancelled_has_not_left_it(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def leave() -> None:
        asked.set()
        await asyncio.Event().wait()

    shown = SigninPage(leave, tmp_path / "note")
    shown.begins()
    leaving = asyncio.create_task(shown.left())
    await asked.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert shown.shown and (tmp_path / "note").exists()


async def test_a_page_that_nobody_saw_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser()
    await page(browser, tmp_path / "note", monkeypatch).left()
    assert browser.did == []
