"""Two raw byte streams joined, each held to the other's pace."""

from __future__ import annotations

import asyncio
import contextlib

CHUNK = 64 * 1024
STALL_SECONDS = 60.0
"""A side that takes nothing for so long while bytes wait for it is gone; the stream is closed."""
HIGH_WATER = 256 * 1024

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def splice(one: Stream, other: Stream, *, stall: float = STALL_SECONDS) -> None:
    """Carry bytes both ways until either side ends; then close both, once each has what was on its way to it."""
    ways = [
        asyncio.ensure_future(_carry(one[0], other[1], stall)),
        asyncio.ensure_future(_carry(other[0], one[1], stall)),
    ]
    try:
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        await asyncio.gather(*(_flush(writer, stall) for _, writer in (one, other)))
    finally:
        for _, writer in (one, other):
            writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stall: float) -> None:
    writer.transport.set_write_buffer_limits(high=HIGH_WATER)
    with contextlib.suppress(OSError, TimeoutError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            async with asyncio.timeout(stall):
                await writer.drain()


async def _flush(writer: asyncio.StreamWriter, stall: float) -> None:
    """Wait until the kernel has all of it: whoever closes the connection next may do so at once."""
    writer.transport.set_write_buffer_limits(high=0)
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(stall):
            await writer.drain()
