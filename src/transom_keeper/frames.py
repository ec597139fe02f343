"""One framed connection: strict frames in, bounded frames out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

from transom_wire.codec import Message, WireError, decode, encode
from transom_wire.framing import MAX_FRAME, FrameError, FrameReader, pack

CHUNK = 64 * 1024
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

    async def first(self, allowed: Iterable[type[M]], seconds: float, limit: int = MAX_FRAME) -> M:
        """The first message; afterwards frames up to `limit` are taken. Raises WireError, FrameError,
        ConnectionEnded."""
        try:
            async with asyncio.timeout(seconds):
                body = await self._next()
        except TimeoutError as error:
            raise ConnectionEnded("nothing was said in time") from error
        message = decode(body, allowed)
        rest, self._frames = self._frames.remainder, FrameReader(limit)
        self._ready += self._frames.feed(rest) if rest else []
        return message

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

    @property
    def early(self) -> bool:
        """True when the peer sent more than it was asked for: the bytes of a raw stream not yet granted."""
        return bool(self._ready or self._frames.remainder)

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
