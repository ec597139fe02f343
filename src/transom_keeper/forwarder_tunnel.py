"""A tunnel between two streams: backpressure, half-close, and an end when it idles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from transom_keeper.forwarder_exit import BUFFER, Streams

Count = Callable[[int], None]


class _Activity:
    """When a byte last moved, in either direction."""

    def __init__(self) -> None:
        self.at = time.monotonic()

    def note(self) -> None:
        self.at = time.monotonic()


async def join(
    guest: Streams, site: Streams, *, up: Count, down: Count, idle_s: float, half_closed_s: float
) -> str:
    """Carry bytes both ways until both sides have ended, and say how it ended: done, idle or broken.

    A side that ends keeps receiving. `up` and `down` are told of each piece's bytes once it was passed on.
    `idle_s` bounds a silence, `half_closed_s` one after a side has ended. The caller closes the streams.
    """
    activity = _Activity()
    pumps = {
        asyncio.ensure_future(_pump(guest[0], site[1], up, activity)),
        asyncio.ensure_future(_pump(site[0], guest[1], down, activity)),
    }
    waiting = pumps
    try:
        while waiting:
            silent = time.monotonic() - activity.at
            limit = idle_s if len(waiting) == len(pumps) else half_closed_s
            if silent >= limit:
                return "idle"
            done, waiting = await asyncio.wait(
                waiting, timeout=limit - silent, return_when=asyncio.FIRST_COMPLETED
            )
            if any(pump.exception() is not None for pump in done):
                return "broken"
        return "done"
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Count, activity: _Activity
) -> None:
    while data := await reader.read(BUFFER):
        activity.note()
        writer.write(data)
        await writer.drain()
        count(len(data))
        activity.note()
    if writer.can_write_eof():
        writer.write_eof()
