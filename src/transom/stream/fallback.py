"""noVNC's road: RFB bytes between a WebSocket and the machine's display, passed on and never parsed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

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
    up = asyncio.create_task(_up(socket, writer, active))
    down = asyncio.create_task(_down(reader, socket))
    try:
        done, _ = await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        writer.close()


async def _up(socket: Socket, writer: asyncio.StreamWriter, active: Activity) -> Ended:
    while (data := await socket.receive()) is not None:
        if len(data) > MESSAGE_LIMIT:
            return Ended.TOO_LARGE
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
