"""noVNC's road: RFB bytes between a WebSocket and the machine's display, passed on and never parsed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any, Protocol

CHUNK = 64 * 1024
"""Bytes of one binary frame to the viewer."""
MESSAGE_LIMIT = 1024 * 1024
"""Bytes of one binary frame from the viewer; a clipboard is the largest thing it sends."""
STALL_S = 30.0
"""A side that takes no byte for this long is dead."""


class Ended(StrEnum):
    """Which side ended the pipe, and how."""

    VIEWER = "viewer"
    MACHINE = "machine"
    STALLED = "stalled"
    TOO_LARGE = "too_large"


class Socket(Protocol):
    """A WebSocket, as far as a pipe needs one."""

    async def receive(self) -> bytes | None:
        """The next binary message; None when the viewer is gone."""

    async def send(self, data: bytes) -> None:
        """Send a binary message; returns when there is room for more."""


Activity = Callable[[], None]


async def pipe(
    socket: Socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, active: Activity
) -> Ended:
    """Pass bytes both ways until one side ends; `active` is called for each message of the viewer.

    Back-pressure holds both ways: nothing is read that the other side has no room for.
    """
    return await first_end(_up(socket, writer, active), _down(reader, socket), writer)


async def first_end(
    up: Coroutine[Any, Any, Ended], down: Coroutine[Any, Any, Ended], writer: asyncio.StreamWriter
) -> Ended:
    """Run both ways until one ends; then the other is cancelled and the machine's side closed."""
    ways = [asyncio.create_task(up), asyncio.create_task(down)]
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        writer.close()


async def handed_on(writer: asyncio.StreamWriter, data: bytes) -> Ended | None:
    """Write to the machine and wait for room; how the stream ended when there is none, or nobody."""
    try:
        writer.write(data)
        async with asyncio.timeout(STALL_S):
            await writer.drain()
    except TimeoutError:
        return Ended.STALLED
    except OSError:
        return Ended.MACHINE
    return None


async def _up(socket: Socket, writer: asyncio.StreamWriter, active: Activity) -> Ended:
    while (data := await socket.receive()) is not None:
        if len(data) > MESSAGE_LIMIT:
            return Ended.TOO_LARGE
        active()
        if (ended := await handed_on(writer, data)) is not None:
            return ended
    return Ended.VIEWER


async def _down(reader: asyncio.StreamReader, socket: Socket) -> Ended:
    while True:
        try:
            data = await reader.read(CHUNK)
        except OSError:
            return Ended.MACHINE
        if not data:
            return Ended.MACHINE
        try:
            async with asyncio.timeout(STALL_S):
                await socket.send(data)
        except TimeoutError:
            return Ended.STALLED
        except OSError:
            return Ended.VIEWER
