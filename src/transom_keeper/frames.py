"""One framed connection: strict frames in, bounded frames out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

from transom_wire.codec import Message, WireError, decode, encode
from transom_wire.framing import HEADER, FrameError, FrameReader, pack

CHUNK = 64 * 1024
FIRST_BYTES = 1024
"""A first frame is Hello or Attach; whoever announces more has not been let in yet."""
M = TypeVar("M")


class ConnectionEnded(Exception):
    """The peer closed, or did not say what it had to in time."""


class Slow(Exception):
    """The peer does not read what it is sent."""


class Framed:
    """A stream connection that speaks frames, at least in the beginning."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, limit: int, unsent: int
    ) -> None:
        self.reader, self.writer = reader, writer
        self._unsent = unsent
        self._frames = FrameReader(limit)
        self._ready: list[bytes] = []

    async def first(self, allowed: Iterable[type[M]], seconds: float) -> M:
        """The first message, and not a byte beyond it: what follows may be a raw stream. Raises WireError,
        FrameError, ConnectionEnded."""
        try:
            async with asyncio.timeout(seconds):
                (size,) = HEADER.unpack(await self.reader.readexactly(HEADER.size))
                if not 0 < size <= FIRST_BYTES:
                    raise FrameError(f"frame of {size} bytes announced, allowed 1..{FIRST_BYTES}")
                return decode(await self.reader.readexactly(size), allowed)
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            raise ConnectionEnded("nothing was said in time") from error

    async def _next(self) -> bytes:
        while not self._ready:
            data = await self.reader.read(CHUNK)
            if not data:
                raise ConnectionEnded("closed")
            self._ready += self._frames.feed(data)
        return self._ready.pop(0)

    async def bodies(self, silence: float) -> AsyncIterator[bytes]:
        """Frame by frame until the peer closes or says nothing for `silence` seconds. Raises FrameError."""
        while True:
            try:
                async with asyncio.timeout(silence):
                    body = await self._next()
            except (TimeoutError, ConnectionEnded, OSError):
                return
            yield body

    def send(self, message: Message) -> None:
        """Queue a message. Raises Slow when the peer has left too much unread."""
        self.send_body(encode(message))

    def send_body(self, body: bytes) -> None:
        """Queue an encoded message. Raises Slow, FrameError."""
        if self.writer.transport.get_write_buffer_size() > self._unsent:
            raise Slow
        if not self.writer.is_closing():
            self.writer.write(pack(body))

    async def flush(self, seconds: float) -> None:
        """Wait until what was queued is with the kernel, at most `seconds`; then give up quietly."""
        self.writer.transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(seconds):
                await self.writer.drain()

    def close(self) -> None:
        """Close at once; what could not be sent yet is lost."""
        self.writer.transport.abort()


PROTOCOL_ERRORS = (WireError, FrameError, ConnectionEnded, Slow, OSError)
