"""Sizes and densities that viewers wish for: one change at a time, the newest wish wins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

SET_DEADLINE = 10.0
"""Seconds a change may take."""
LEAST_WIDTH = 500
"""Pixels at a density of 100 per cent: Chromium makes no window narrower, and what is beyond the screen's edge
cannot be reached."""
log = logging.getLogger("transom.stream")

SetSize = Callable[[int, int], Awaitable[object]]
SetDensity = Callable[[int], Awaitable[object]]


def roomy(width: int, height: int, density: int) -> tuple[int, int]:
    """The size, enlarged in its shape where a browser's window of this density (per cent) would not fit in it."""
    least = -(-LEAST_WIDTH * density // 200) * 2
    return (width, height) if width >= least else (least, max(1, height * least // max(width, 1) // 2) * 2)


class Resizer:
    """Applies wishes; one that comes while another is applied waits, alone of its kind."""

    def __init__(self, set_size: SetSize, set_density: SetDensity | None = None) -> None:
        self._set_size, self._set_density = set_size, set_density
        self._size: tuple[int, int] | None = None
        self._density: int | None = None
        self._wished: tuple[int, int] | None = None
        self._given: tuple[int, int] | None = None
        self._dense = 100
        self._task: asyncio.Task[None] | None = None

    def want(self, width: int, height: int) -> None:
        """Have the desktop this size soon."""
        self._size = (width, height)
        self._begin()

    def want_density(self, percent: int) -> None:
        """Have programs draw for pixels this dense soon."""
        self._density = percent
        self._begin()

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._apply(), name="resize")

    async def _apply(self) -> None:
        while self._size is not None or self._density is not None:
            size, density = self._size, self._density
            self._size = self._density = None
            self._wished, self._dense = size or self._wished, density or self._dense
            given = roomy(*self._wished, self._dense) if self._wished else None
            if given is not None and (size is not None or given != self._given):
                self._given = given
                await self._try(f"size {given[0]}x{given[1]}", self._set_size(*given))
            if density is not None and self._set_density is not None:
                await self._try(f"density {density}", self._set_density(density))

    async def _try(self, what: str, change: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(SET_DEADLINE):
                await change
        except Exception as error:
            log.warning("the desktop does not take the %s: %s", what, error)


async def set_desktop_size(width: int, height: int) -> None:
    """Set the size of the machine's desktop."""
    from transom_guest.desktop import display

    await display.set_size(width, height)


async def set_desktop_density(percent: int) -> None:
    """Set the density of the machine's desktop."""
    from transom_guest.desktop import density

    await density.set_density(percent)
