"""When a page that was signed in at counts as left."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from transom_guest.desktop import browser
from transom_guest.signin_pages import install
from transom_guest.signin_pages.sight import Sight
from transom_guest.stream import signin_page
from transom_guest.stream.signin_page import leave_page


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    async def take(_environment: Any, url: str) -> None:
        found.append(url)

    monkeypatch.setattr(browser, "leave_page", take)
    return found


def leave(home: Path) -> asyncio.Task[None]:
    environment = {"HOME": str(home)}
    sight = Sight(install.shown(environment))
    return asyncio.create_task(leave_page(environment, home / "paused", sight))


async def test_a_page_is_left_once_the_browser_has_said_so_and_not_when_it_took_the_url(
    tmp_path: Path, asked: list[str]
) -> None:
    install.prepare({"HOME": str(tmp_path)}, tmp_path / "profile", ())
    hello = install.shown({"HOME": str(tmp_path)}) / "hello"
    hello.touch()
    os.utime(hello, ns=(1, 1))
    leaving = leave(tmp_path)
    await asyncio.sleep(0.4)
    assert len(asked) == 1 and "leave.html" in asked[0] and not leaving.done()
    os.utime(hello, ns=(2, 2))
    await asyncio.wait_for(leaving, 10)


async def test_a_browser_that_never_says_so_and_one_that_nobody_asks_hold_nothing_up_for_ever(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.wait_for(leave(tmp_path), 10)
    install.prepare({"HOME": str(tmp_path)}, tmp_path / "profile", ())
    monkeypatch.setattr(signin_page, "LEFT_S", 0.2)
    await asyncio.wait_for(leave(tmp_path), 10)
    assert len(asked) == 2
