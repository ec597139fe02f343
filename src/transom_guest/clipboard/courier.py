"""Carries items to one viewer: one at a time, at the pace it takes them, the newest before an older one."""

from __future__ import annotations

import asyncio
from typing import Protocol

from transom_guest.clipboard import frames
from transom_guest.clipboard.item import Item

MOST_WAITING = 128 * 1024
"""Bytes that may wait unsent: what more there is would hold up keys' answers on the same association."""
LOOK_AGAIN = 0.01
"""Seconds between looks at what waits."""


class Wire(Protocol):
    """A viewer's clipboard channel."""

    def clip(self, message: str | bytes) -> bool:
        """Send; False when it is not open."""

    def clip_waiting(self) -> int:
        """Bytes not sent yet."""


class Courier:
    """One viewer's."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._next: tuple[Item, int] | None = None
        self._id = 0
        self._settled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def say(self, text: str) -> None:
        """Send a text message now."""
        self._wire.clip(text)

    def send(self, item: Item, copies: int) -> None:
        """Carry `item`, the desktop's copy of this number; one that still waits is forgotten for it."""
        self._next = item, copies
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._carry(), name="clipboard")

    def settled(self, id: int) -> None:
        """The viewer answered for the item `id`."""
        if id == self._id:
            self._settled.set()

    def stop(self) -> None:
        """The viewer is gone."""
        if self._task is not None:
            self._task.cancel()

    async def _carry(self) -> None:
        while (following := self._next) is not None:
            self._next = None
            self._id += 1
            self._settled.clear()
            try:
                async with asyncio.timeout(frames.DEADLINE):
                    if await self._send(*following):
                        await self._settled.wait()
            except TimeoutError:
                continue

    async def _send(self, item: Item, copies: int) -> bool:
        """False when the viewer refused it before it was all there, or is gone."""
        if not self._wire.clip(frames.put(self._id, item, copies)):
            return False
        for chunk in frames.chunks(item):
            while self._wire.clip_waiting() > MOST_WAITING:
                await asyncio.sleep(LOOK_AGAIN)
            if self._settled.is_set() or not self._wire.clip(chunk):
                return False
        return True
