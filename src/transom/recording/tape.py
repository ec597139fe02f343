"""The controller's side of a stream of kind `record`. The guest is hostile: framed, limited, in time, and paced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from transom.model.errors import Unavailable
from transom.model.ports import Driver
from transom_wire.codec import Message, WireError, decode, encode
from transom_wire.files import chunk_size
from transom_wire.framing import HEADER, FrameError, pack
from transom_wire.record import FRAME_LIMIT, FROM_RECORDER, PageSeen, PartComes, RecordState, SegmentComes

STALL_S = 20.0
"""Seconds for the guest's next piece of a segment, or for it to take ours."""
PACE = 16 * 2**20
"""Bytes in a second, at most, that one guest's segments cost this server's disk; the stream's bitrate is far less."""

LEAST_S = 0.2
"""Seconds that a segment takes at least, however small: each costs a file, two listings and a row."""


class Tape:
    """One stream. Every call raises Unavailable when the guest is gone, or keeps to no protocol."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, message: Message) -> None:
        """Send a wish, or that a segment was taken."""
        async with _honest(STALL_S):
            self._writer.write(pack(encode(message)))
            await self._writer.drain()

    async def hear(self) -> RecordState | SegmentComes | PartComes | PageSeen | None:
        """What the guest says next, whenever that is; None at the end. A segment's content must be read at once."""
        async with _honest(None):
            try:
                header = await self._reader.readexactly(HEADER.size)
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    raise
                return None
        async with _honest(STALL_S):
            (size,) = HEADER.unpack(header)
            if not 0 < size <= FRAME_LIMIT:
                raise FrameError(f"frame of {size} bytes announced")
            body = await self._reader.readexactly(size)
            return cast(
                "RecordState | SegmentComes | PartComes | PageSeen", decode(body, cast("Any", FROM_RECORDER))
            )

    async def content(self, comes: SegmentComes) -> AsyncIterator[bytes]:
        """The segment's bytes: exactly as many as were announced, or Unavailable."""
        left = comes.size
        while True:
            async with _honest(STALL_S):
                length = chunk_size(await self._reader.readexactly(HEADER.size))
                left -= length
                if left < 0 or (not length and left):
                    raise FrameError("a segment of another size than announced")
                data = await self._reader.readexactly(length)
            if not length:
                break
            yield data
        await asyncio.sleep(max(LEAST_S, comes.size / PACE))

    def cut(self) -> None:
        """End it: what the guest says from now on is not heard."""
        self._writer.transport.abort()


@asynccontextmanager
async def tape(driver: Driver, machine: str) -> AsyncIterator[Tape]:
    """A stream to the machine's recorder. Raises Unavailable."""
    async with _honest(STALL_S):
        reader, writer = await driver.open_stream(machine, "record")
    found = Tape(reader, writer)
    try:
        yield found
    finally:
        found.cut()


@asynccontextmanager
async def _honest(seconds: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except (OSError, EOFError, WireError, FrameError) as error:
        raise Unavailable(f"the machine's recorder: {str(error) or type(error).__name__}") from error
