"""Waiting for the program with the focus to come to what was done before: keys, and a new keyboard map.

A program translates a key by the map that it has when it comes to the key. So a key of a changed map is pressed only
when the program says that it has come to the change, and the map is changed when it has come to the keys before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from transom_guest.x11.events import XEvent

ROUNDS = 3
"""Answers that are waited for: Chromium's toolkit has a connection of its own to the display, which its loop comes to
between them. A sign that the toolkit does not know yet is lost."""
PATIENCE = 3.0
"""Seconds for an answer; who took longer is asked again once it has answered."""
LOOKS = 0.05
"""Seconds between two looks for an answer that nobody tells of: see Reading."""
SETTLES = 0.12
"""Seconds that a program is given that answers no questions."""
log = logging.getLogger("transom.input")


class Questions(Protocol):
    """What is needed of x11.pings.Pings."""

    def window(self) -> int | None: ...
    def ask(self, window: int) -> int: ...
    def answered(self, event: XEvent) -> int | None: ...


class Reading:
    """Of one display, for one who waits at a time.

    Whatever sends to the display may read from it as well, XFlush too (libX11, _XFlush of xcb_io.c). An answer that
    was read so waits in Xlib's queue, and the connection's descriptor, which is empty, wakes nobody.
    """

    def __init__(self, questions: Questions, read: Callable[[], object]) -> None:
        """`read` takes in all events that are there, and has `handle` called with each."""
        self._questions, self._read = questions, read
        self._asked: dict[int, int] = {}
        """Window by the number of a question that it has not answered."""
        self._answer = asyncio.Event()

    async def caught_up(self) -> None:
        """Return once the program with the focus has taken in all that was done until now, or the time is over."""
        window = self._questions.window()
        self._read()
        if window is None or window in self._asked.values():
            await asyncio.sleep(SETTLES)
            return
        for _ in range(ROUNDS):
            if not await self._answered(window):
                log.warning("a program took longer than %.1f s to come to its keys", PATIENCE)
                return

    def handle(self, event: XEvent) -> None:
        """Take in an answer, if it is one."""
        number = self._questions.answered(event)
        if number is not None and self._asked.pop(number, None) is not None:
            self._answer.set()

    async def _answered(self, window: int) -> bool:
        # who was asked before this has ended, or is not the one with the focus
        self._asked.clear()
        self._answer.clear()
        self._asked[self._questions.ask(window)] = window
        now = asyncio.get_running_loop().time
        end = now() + PATIENCE
        self._read()
        while not self._answer.is_set() and (left := end - now()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._answer.wait(), min(left, LOOKS))
            self._read()
        return self._answer.is_set()
