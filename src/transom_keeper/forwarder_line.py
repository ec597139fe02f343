"""One HTTP/1.1 connection of the forwarder: h11 on a leg, with a deadline on each read and write."""

from __future__ import annotations

import asyncio
from typing import Any

import h11

from transom_keeper.forwarder_leg import Leg
from transom_keeper.proxy import MAX_HEAD

LINGER_S = 1.0
"""Seconds a refused sender may go on sending, so that it reads the page instead of a reset."""
LINGER_BYTES = 2**20

Role = type[h11.SERVER] | type[h11.CLIENT]


class Line:
    """Events out and events in. Raises TimeoutError, ConnectionError, h11's protocol errors."""

    def __init__(self, leg: Leg, role: Role) -> None:
        self.leg = leg
        self.http = h11.Connection(role, max_incomplete_event_size=MAX_HEAD)

    async def receive(self, within: float) -> Any:
        """The next h11 event, whole, within so many seconds."""
        event = self.http.next_event()
        if event is not h11.NEED_DATA:
            return event
        async with asyncio.timeout(within):
            while event is h11.NEED_DATA:
                self.http.receive_data(await self.leg.read())
                event = self.http.next_event()
        return event

    async def send(self, event: h11.Event, within: float) -> None:
        """Send `event`, and wait until the other side has room for more."""
        data = self.http.send(event)
        if data:
            async with asyncio.timeout(within):
                await self.leg.write(data)

    def raw(self) -> Leg:
        """The leg, once the parser is done with it: what it has read too far is held there again."""
        unread, _ = self.http.trailing_data
        self.leg.take_back(unread)
        return self.leg

    async def close(self, *, flush_s: float = 0.0, linger: bool = False) -> None:
        """Close; what was written still goes out for `flush_s`. With `linger`, its reader may finish first."""
        try:
            if linger:
                await self._linger()
            if flush_s and not self.leg.is_lost:
                self.leg.transport.close()
                async with asyncio.timeout(flush_s):
                    await self.leg.closed()
        except (OSError, TimeoutError):
            pass
        finally:
            self.leg.abort()

    async def _linger(self) -> None:
        async with asyncio.timeout(LINGER_S):
            if self.leg.is_lost:
                return
            self.leg.transport.write_eof()
            left = LINGER_BYTES
            while left > 0 and (data := await self.leg.read()):
                left -= len(data)
