"""noVNC's road: RFB bytes between a WebSocket and the machine's display, passed on and never parsed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from enum import StrEnum
from typing import Any, Protocol

from transom.model.works import first_over

CHUNK = 64 * 1024
"""Bytes of one binary frame to the viewer."""
STALL_S = 30.0
"""A side that takes no byte for this long is dead."""


class Ended(StrEnum):
    """Which side ended the pipe, and how."""

    VIEWER = "viewer"
    MACHINE = "machine"
    STALLED = "stalled"


class Source(Protocol):
    """What a viewer says, as far as it is handed on."""

    async def receive(self) -> bytes | None:
        """What the machine is to get next, no more than its road allows; None when the viewer is gone."""


class Socket(Source, Protocol):
    """A WebSocket, as far as a pipe needs one."""

    async def send(self, data: bytes) -> None:
        """Send a binary message; returns when there is room for more."""


Activity = Callable[[], None]


async def pipe(
    socket: Socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, active: Activity
) -> Ended:
    """Pass bytes both ways until one side ends; `active` is called for each message of the viewer.

    Back-pressure holds both ways: nothing is read that the other side has no room for.
    """
    return await first_end(up(socket, writer, active), _down(reader, socket), writer)


async def first_end(
    up: Coroutine[Any, Any, Ended], down: Coroutine[Any, Any, Ended], writer: asyncio.StreamWriter
) -> Ended:
    """Run both ways until one ends; then the other is cancelled and the machine's side closed."""
    try:
        async with first_over(up, down) as done:
            return next(iter(done)).result()
    finally:
        writer.close()


async def up(source: Source, writer: asyncio.StreamWriter, active: Activity) -> Ended:
    """Hand on to the machine what the viewer says, until one of them ends."""
    while (data := await source.receive()) is not None:
        active()
        try:
            writer.write(data)
            async with asyncio.timeout(STALL_S):
                await writer.drain()
        except TimeoutError:
            return Ended.STALLED
        except OSError:
            return Ended.MACHINE
    return Ended.VIEWER


async def told(sending: Awaitable[None]) -> Ended | None:
    """Send to the viewer; how the stream ended when it takes nothing, or is gone."""
    try:
        async with asyncio.timeout(STALL_S):
            await sending
    except TimeoutError:
        return Ended.STALLED
    except OSError:
        return Ended.VIEWER
    return None


async def _down(reader: asyncio.StreamReader, socket: Socket) -> Ended:
    while True:
        try:
            data = await reader.read(CHUNK)
        except OSError:
            return Ended.MACHINE
        if not data:
            return Ended.MACHINE
        if (ended := await told(socket.send(data))) is not None:
            return ended
