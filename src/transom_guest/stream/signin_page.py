"""The page of a sign-in, before a recording goes on: it is left for a blank one, and until then no picture is taken."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from transom_guest.signin_pages import install
from transom_guest.signin_pages.sight import CLEAR, SHOWN, UNWATCHED, Sight

SHOWN_S = 2.0
"""Seconds for the blank page to be on the screen, once the browser has said that it has it."""
LEFT_S, LOOK_S = 30.0, 0.1
"""Seconds for the browser to say so, where its pages are looked at; and between two looks."""
AGAIN_S = 2.0
"""Seconds before a browser that did not take it is asked again."""
Leave = Callable[[], Awaitable[None]]
log = logging.getLogger("transom.stream")


class SigninPage:
    """It may be shown from a pause on until it was left, whoever is at the other end meanwhile, and though this
    process died: `note` is a file that is there for so long."""

    def __init__(self, leave: Leave, note: Path) -> None:
        self._leave, self._note = leave, note
        self.shown = note.exists()

    def begins(self) -> None:
        """A pause: it may be shown from now on."""
        if self.shown and self._note.exists():
            return
        self.shown = True
        try:
            self._note.touch(mode=0o600)
        except OSError as error:
            log.warning("a recording's pause is known to this process alone: %s", error)

    async def left(self) -> None:
        """Leave it, however often that takes. Cancelled, it may still be shown."""
        while self.shown:
            try:
                await self._leave()
            except (OSError, ValueError, TimeoutError) as error:
                log.warning("a recording waits for the browser: %s", type(error).__name__)
                await asyncio.sleep(AGAIN_S)
                continue
            await asyncio.sleep(SHOWN_S)
            self._gone()

    def _gone(self) -> None:
        self.shown = False
        with contextlib.suppress(OSError):
            self._note.unlink()


async def leave_page(environment: Mapping[str, str], note: Path, sight: Sight) -> None:
    """Of this machine's browser; where its pages are looked at, the tabs of a sign-in since the pause are closed, and
    this returns once the browser has said so: on a busy machine it takes a URL seconds before it shows it."""
    from transom_guest.desktop import browser

    sight.anew()
    await browser.leave_page(environment, install.leave_page(environment, _began(note)))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LEFT_S):
            for wanted in (SHOWN, CLEAR):
                while sight.look() not in (wanted, UNWATCHED):
                    await asyncio.sleep(LOOK_S)


def _began(note: Path) -> int:
    """When, in Unix milliseconds; in no time that was, where nobody wrote it down."""
    try:
        return note.stat().st_mtime_ns // 1_000_000
    except OSError:
        return 2**53
