"""Sizes that viewers wish for: one change at a time, the newest wish wins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

SET_DEADLINE = 10.0
"""Seconds a change of size may take."""
log = logging.getLogger("transom.stream")

SetSize = Callable[[int, int], Awaitable[object]]


class Resizer:
    """Applies wishes by `set_size`; a wish that comes while another is applied waits, alone."""

    def __init__(self, set_size: SetSize) -> None:
        self._set_size = set_size
        self._wish: tuple[int, int] | None = None
        self._task: asyncio.Task[None] | None = None

    def want(self, width: int, height: int) -> None:
        """Have the desktop this size soon."""
        self._wish = (width, height)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._apply(), name="resize")

    async def _apply(self) -> None:
        while self._wish is not None:
            width, height = self._wish
            self._wish = None
            try:
                async with asyncio.timeout(SET_DEADLINE):
                    await self._set_size(width, height)
            except Exception as error:
                log.warning("the desktop does not take the size %dx%d: %s", width, height, error)


async def set_desktop_size(width: int, height: int) -> None:
    """Set the size of the machine's desktop."""
    from transom_guest.desktop import display

    await display.set_size(width, height)
