"""A controller's end of a keeper's unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from transom.model.errors import Unavailable
from transom_wire import WIRE_VERSION
from transom_wire.codec import WireError, decode, encode
from transom_wire.control import (
    FROM_KEEPER,
    Attach,
    Attached,
    ControllerMessage,
    KeepAlive,
    KeeperMessage,
    Refused,
    Snapshot,
)
from transom_wire.framing import HEADER, MAX_FRAME, FrameError, pack

SOCKET = "keeper.sock"
M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class ChannelDeadlines:
    """Seconds."""

    connect: float = 5.0
    """From the call to the keeper's first word."""
    stream: float = 10.0
    """The same for a raw stream, which the guest has to open."""
    send: float = 5.0
    silence: float = 35.0
    """A keeper says something each ten seconds; silent for so long, it hangs."""
    keep_alive: float = 10.0


class UnixKeeperChannel:
    """A KeeperChannel over a unix socket. Made by `attach`."""

    def __init__(
        self,
        snapshot: Snapshot,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        deadlines: ChannelDeadlines,
    ) -> None:
        self.snapshot = snapshot
        self._reader, self._writer, self._deadlines = reader, writer, deadlines
        self._beat = asyncio.get_running_loop().create_task(self._keep_alive())

    async def send(self, message: ControllerMessage) -> None:
        """Send, within a deadline. Raises Unavailable when the keeper is gone or does not read."""
        await _send(self._writer, message, self._deadlines.send)

    async def messages(self) -> AsyncIterator[KeeperMessage]:
        """What the keeper says, until it is gone; then the iterator ends. What is not read in time holds
        the keeper back, and after a while it lets go."""
        while True:
            try:
                async with asyncio.timeout(self._deadlines.silence):
                    message = await _receive(self._reader, FROM_KEEPER)
            except (TimeoutError, OSError, EOFError, WireError, FrameError):
                return
            if not isinstance(message, KeepAlive):
                yield message  # type: ignore[misc]

    async def close(self) -> None:
        """Let go of the keeper; the machine lives on."""
        self._beat.cancel()
        await asyncio.gather(self._beat, return_exceptions=True)
        await _close(self._writer)

    async def _keep_alive(self) -> None:
        with contextlib.suppress(Unavailable):
            while True:
                await asyncio.sleep(self._deadlines.keep_alive)
                await self.send(KeepAlive())


async def attach(folder: Path, deadlines: ChannelDeadlines) -> UnixKeeperChannel:
    """Become the controller of the machine in `folder`. Raises Unavailable."""
    snapshot, reader, writer = await _ask(folder, "control", None, Snapshot, deadlines.connect)
    return UnixKeeperChannel(snapshot, reader, writer, deadlines)


async def status(folder: Path, deadlines: ChannelDeadlines) -> Snapshot:
    """One look at the machine in `folder`, without becoming its controller. Raises Unavailable."""
    snapshot, _, writer = await _ask(folder, "status", None, Snapshot, deadlines.connect)
    await _close(writer)
    return snapshot


async def open_stream(
    folder: Path, kind: str, deadlines: ChannelDeadlines
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A raw stream to the machine's `kind`. Raises Unavailable."""
    _, reader, writer = await _ask(folder, "stream", kind, Attached, deadlines.stream)
    return reader, writer


async def _ask(
    folder: Path, mode: str, kind: str | None, wanted: type[M], seconds: float
) -> tuple[M, asyncio.StreamReader, asyncio.StreamWriter]:
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await _connect(folder)
            await _send(writer, Attach(version=WIRE_VERSION, mode=mode, stream_kind=kind), seconds)
            answer = await _receive(reader, (wanted, Refused))
            if isinstance(answer, wanted):
                return answer, reader, writer
            reason = answer.reason if isinstance(answer, Refused) else "it said something else"
            raise Unavailable(reason, retry_after=1)
    except BaseException as error:
        if writer is not None:
            writer.transport.abort()
        if isinstance(error, TimeoutError | OSError | EOFError | WireError | FrameError):
            raise Unavailable("the machine's keeper does not answer", retry_after=1) from error
        raise


async def _connect(folder: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """By a descriptor: a socket's path may have 107 bytes, and a state folder may be deep. No link is followed:
    the folder is its machine's user's, who could put one there to another machine's keeper."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        place = os.open(folder / SOCKET, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            await asyncio.get_running_loop().sock_connect(connection, f"/proc/self/fd/{place}")
        finally:
            os.close(place)
        return await asyncio.open_unix_connection(sock=connection, limit=MAX_FRAME)
    except BaseException:
        connection.close()
        raise


async def _send(writer: asyncio.StreamWriter, message: ControllerMessage, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            writer.write(pack(encode(message)))
            await writer.drain()
    except (TimeoutError, OSError) as error:
        writer.transport.abort()
        raise Unavailable("the machine's keeper is gone", retry_after=1) from error


async def _receive(reader: asyncio.StreamReader, allowed: tuple[type[M], ...]) -> M:
    (size,) = HEADER.unpack(await reader.readexactly(HEADER.size))
    if not 0 < size <= MAX_FRAME:
        raise FrameError(f"frame of {size} bytes announced")
    return decode(await reader.readexactly(size), allowed)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()
