"""One HTTP/1.1 connection of the forwarder: h11 on a stream, with a deadline on each read and write."""

from __future__ import annotations

import asyncio
from typing import Any

import h11

from transom_keeper.forwarder_exit import BUFFER, Streams
from transom_keeper.proxy import MAX_HEAD

LINGER_S = 1.0
"""Seconds a refused sender may go on sending, so that it reads the page instead of a reset."""
LINGER_BYTES = 2**20

Role = type[h11.SERVER] | type[h11.CLIENT]


class Line:
    """Events out and events in. Raises TimeoutError, ConnectionError, h11's protocol errors."""

    def __init__(self, streams: Streams, role: Role) -> None:
        self.reader, self.writer = streams
        self.http = h11.Connection(role, max_incomplete_event_size=MAX_HEAD)

    async def receive(self, within: float) -> Any:
        """The next h11 event, whole, within so many seconds."""
        async with asyncio.timeout(within):
            while True:
                event = self.http.next_event()
                if event is not h11.NEED_DATA:
                    return event
                self.http.receive_data(await self.reader.read(BUFFER))

    async def send(self, event: h11.Event, within: float) -> None:
        """Send `event`, and wait until the other side has room for more."""
        data = self.http.send(event)
        if data:
            self.writer.write(data)
            async with asyncio.timeout(within):
                await self.writer.drain()

    async def close(self, *, flush_s: float = 0.0, linger: bool = False) -> None:
        """Close; what was written still goes out for `flush_s`. With `linger`, its reader may finish first."""
        try:
            if linger:
                await self._linger()
            if flush_s:
                self.writer.close()
                async with asyncio.timeout(flush_s):
                    await self.writer.wait_closed()
        except (OSError, TimeoutError):
            pass
        finally:
            self.writer.transport.abort()

    async def _linger(self) -> None:
        async with asyncio.timeout(LINGER_S):
            self.writer.write_eof()
            left = LINGER_BYTES
            while left > 0 and (data := await self.reader.read(BUFFER)):
                left -= len(data)
