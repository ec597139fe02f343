"""The controller's side of a stream of files. The guest is hostile: everything is framed, limited, in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar, cast

from transom.model.errors import (
    Conflict,
    Exists,
    Full,
    Invalid,
    NotFound,
    TooLarge,
    TransomError,
    Unavailable,
)
from transom.model.ports import Driver
from transom_wire.codec import Message, WireError, decode, encode
from transom_wire.files import (
    ANSWER_LIMIT,
    FileDone,
    FileEntry,
    FileFound,
    FileGet,
    FileGo,
    FilePut,
    FileRefused,
    FileRemove,
    FilesList,
    FilesListed,
    chunk,
    chunk_size,
    name_fault,
)
from transom_wire.framing import HEADER, FrameError, pack

ANSWER_S = 30.0
"""Seconds for a guest to answer a request: a program is started for it there."""
STALL_S = 30.0
"""Seconds a guest may take nothing, or send nothing."""
LAST_WORDS_S = 1.0
"""Seconds for a guest that took no more to have said why."""
HIGH_WATER = 256 * 1024
"""Bytes on their way to a machine before the viewer is held back."""
M = TypeVar("M")


class Garbage(Unavailable):
    """The machine did not keep to the protocol, or ended in the middle."""

    code = "machine"


class Dialogue:
    """One request to a guest, on a stream of its own. Every call raises TransomError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        writer.transport.set_write_buffer_limits(high=HIGH_WATER)

    async def listing(self) -> tuple[list[FileEntry], bool]:
        """Files with names that are allowed, by name; True when there are others."""
        found = await self._ask(FilesList(), FilesListed)
        shown = {entry.name: entry for entry in found.files if not name_fault(entry.name)}
        return [shown[name] for name in sorted(shown)], found.more or len(shown) < len(found.files)

    async def put(self, request: FilePut, content: AsyncIterator[bytes]) -> int:
        """Hand a file over; what was taken, in bytes. The guest may refuse while it comes."""
        await self._ask(request, FileGo)
        answer = asyncio.ensure_future(self._hear(FileDone, None))
        sending = asyncio.ensure_future(self._send(content))
        try:
            await asyncio.wait({answer, sending}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and isinstance(sending.exception(), Garbage):
                await asyncio.wait({answer}, timeout=LAST_WORDS_S)
            if answer.done():
                await answer  # raises what the guest refused it for
            sent = await sending
            async with _in_time(ANSWER_S):
                done = await answer
        finally:
            for task in (answer, sending):
                task.cancel()
            await asyncio.gather(answer, sending, return_exceptions=True)
        if done.size != sent:
            raise Garbage("the machine took another size than it was sent")
        return sent

    async def get(self, request: FileGet) -> int:
        """Ask for a file; its size, which `content` then keeps to."""
        found = await self._ask(request, FileFound)
        if found.size > request.most:
            raise TooLarge(f"the file has more than {request.most} bytes")
        return found.size

    async def content(self, size: int) -> AsyncIterator[bytes]:
        """The file's bytes. Raises Garbage unless they are `size` and whole."""
        left = size
        while True:
            async with _in_time(STALL_S):
                length = chunk_size(await self._reader.readexactly(HEADER.size))
                data = await self._reader.readexactly(length)
            left -= length
            if left < 0 or (not length and left):
                raise Garbage("the file changed while it was read")
            if not length:
                return
            yield data

    async def remove(self, name: str) -> int:
        """Remove a file; the size that it had."""
        return (await self._ask(FileRemove(name), FileDone)).size

    async def _send(self, content: AsyncIterator[bytes]) -> int:
        sent = 0
        async for data in content:
            if data:
                sent += len(data)
                await self._write(chunk(data))
        await self._write(chunk(b""))
        return sent

    async def _write(self, data: bytes) -> None:
        async with _in_time(STALL_S):
            self._writer.write(data)
            await self._writer.drain()

    async def _ask(self, request: Message, wanted: type[M]) -> M:
        await self._write(pack(encode(request)))
        return await self._hear(wanted, ANSWER_S)

    async def _hear(self, wanted: type[M], seconds: float | None) -> M:
        async with _in_time(seconds):
            (size,) = HEADER.unpack(await self._reader.readexactly(HEADER.size))
            if not 0 < size <= ANSWER_LIMIT:
                raise FrameError(f"frame of {size} bytes announced")
            body = await self._reader.readexactly(size)
            answer = decode(body, cast("tuple[type[M], ...]", (wanted, FileRefused)))
        if isinstance(answer, FileRefused):
            raise refusal(answer.code)
        return answer


@asynccontextmanager
async def dialogue(driver: Driver, machine: str) -> AsyncIterator[Dialogue]:
    """A stream to `machine` for one request. Raises Unavailable."""
    async with _in_time(ANSWER_S):
        reader, writer = await driver.open_stream(machine, "files")
    try:
        yield Dialogue(reader, writer)
    finally:
        writer.transport.abort()


def refusal(code: str) -> TransomError:
    """A guest's refusal in our own words: its own may say anything."""
    match code:
        case "missing":
            return NotFound("there is no such file on the desktop")
        case "name":
            return Invalid("a file on the desktop cannot have this name", code="name")
        case "exists":
            return Exists("a file on the desktop has this name")
        case "too_large":
            return TooLarge("the file is too large")
        case "too_many":
            return Conflict("there are too many files on the desktop: remove some", code="too_many_files")
        case "full":
            return Full("the desktop's disk is full")
        case _:
            return Garbage("the desktop could not do it")


@asynccontextmanager
async def _in_time(seconds: float | None) -> AsyncIterator[None]:
    """A deadline, with what a connection to a hostile peer may raise as Garbage."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Garbage("the machine does not answer", retry_after=1) from error
    except (OSError, EOFError, WireError, FrameError) as error:
        raise Garbage("the machine ended the transfer", retry_after=1) from error
