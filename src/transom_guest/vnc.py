"""Joins a stream link to the VNC server's unix socket: bytes both ways, at the pace of the slower reader."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from transom_guest.link import Link
from transom_wire.rfb import RfbError, Watching

CONNECT_DEADLINE = 5.0
"""Seconds for it to accept."""
CHUNK = 64 * 1024
"""Bytes read at once, and with it what one direction can hold beside the socket buffers."""
STALLED = 60.0
"""Seconds a reader may take nothing before the stream is cut."""
Sieve = Callable[[bytes], bytes]
"""What passes of bytes; raises RfbError to end the stream."""
log = logging.getLogger("transom.boot")


def whole(data: bytes) -> bytes:
    """Everything passes."""
    return data


async def serve_stream(token: str, stream: str, socket_path: str, *, watching: bool = False) -> None:
    """Dial the link again as `stream` and join it to the server at `socket_path` until either ends.

    Of one who is only `watching` no input passes, whatever the controller let through.
    Raises OSError (LinkError among it) when the one or the other cannot be reached.
    """
    async with dialled(token, stream) as link:
        async with asyncio.timeout(CONNECT_DEADLINE):
            reader, writer = await asyncio.open_unix_connection(socket_path)
        try:
            await join(link.reader, link.writer, reader, writer, Watching().feed if watching else whole)
        finally:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def dialled(token: str, stream: str) -> AsyncIterator[Link]:
    """The link again, as `stream`, until the block ends. Raises LinkError."""
    link = await Link.dial("stream", token, stream=stream)
    try:
        yield link
    finally:
        link.writer.transport.abort()


async def join(
    here_in: asyncio.StreamReader,
    here_out: asyncio.StreamWriter,
    there_in: asyncio.StreamReader,
    there_out: asyncio.StreamWriter,
    sieve: Sieve = whole,
) -> None:
    """Carry bytes between two connections until one of them ends; the last bytes are still handed on.

    What comes from here goes through `sieve`."""
    pumps = [
        asyncio.create_task(_pump(here_in, there_out, sieve)),
        asyncio.create_task(_pump(there_in, here_out)),
    ]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sieve: Sieve = whole) -> None:
    # a high-water mark of one chunk: drain() then waits for the peer, and so does our read
    writer.transport.set_write_buffer_limits(high=CHUNK)
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            try:
                writer.write(sieve(data))
            except RfbError as error:
                log.warning("a watcher's stream ends: %s", error)
                return
            async with asyncio.timeout(STALLED):
                await writer.drain()
        writer.transport.set_write_buffer_limits(high=0)
        async with asyncio.timeout(STALLED):
            await writer.drain()
