"""What waits to be said on the link: bounded, the oldest lost first, kept while the link is redialled."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from transom_wire.link import GuestMessage

MAX_WAITING = 200
"""Messages. Peers' states are said anew to a new link, so an old one lost costs nothing."""


class Outbox:
    """A bounded queue that never blocks the one who puts."""

    def __init__(self) -> None:
        self._waiting: deque[GuestMessage] = deque(maxlen=MAX_WAITING)
        self._filled, self._sent = asyncio.Event(), asyncio.Event()

    def put(self, message: GuestMessage) -> None:
        """Have `message` sent when there is a link."""
        self._waiting.append(message)
        self._filled.set()
        self._sent.clear()

    async def take(self) -> GuestMessage:
        """Wait for the oldest message and take it: whoever does has sent the one before."""
        while not self._waiting:
            self._filled.clear()
            self._sent.set()
            await self._filled.wait()
        return self._waiting.popleft()

    async def sent(self, seconds: float) -> None:
        """Wait until all that was put is sent, or for so long: there may be no link."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._sent.wait()
