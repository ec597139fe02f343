"""Keys and clipboard on the noVNC rung: messages of a WebSocket to frames of a stream of kind `channel`, and back.

What is in them is the guest's and the page's: nothing here looks at it. A guest that frames it wrongly is cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from transom.stream.fallback import STALL_S, Ended, first_end, handed_on
from transom_wire.channel import CHUNK, FRAME_LIMIT, TEXT_LIMIT, ChannelViewer, framed, opened
from transom_wire.framing import FrameError, FrameReader

READ = 64 * 1024
"""Bytes taken from the guest at once."""


class Talk(Protocol):
    """A WebSocket, as far as a channel needs one."""

    async def receive(self) -> str | bytes | None:
        """The next message; None when the viewer is gone."""

    async def send(self, message: str | bytes) -> None:
        """Send a message; returns when there is room for more."""


async def carry(
    talk: Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, active: Callable[[], None]
) -> Ended:
    """Carry messages both ways until one side ends; `active` is called for each of the viewer's.

    The stream's first frame, a ChannelViewer, is the caller's to write. Raises FrameError for what no guest says.
    """
    return await first_end(_up(talk, writer, active), _down(reader, talk), writer)


async def _up(talk: Talk, writer: asyncio.StreamWriter, active: Callable[[], None]) -> Ended:
    while (message := await talk.receive()) is not None:
        size = len(message.encode()) if isinstance(message, str) else len(message)
        if size > (TEXT_LIMIT if isinstance(message, str) else CHUNK):
            return Ended.TOO_LARGE
        if not size:
            continue
        active()
        if (ended := await handed_on(writer, framed(message))) is not None:
            return ended
    return Ended.VIEWER


async def _down(reader: asyncio.StreamReader, talk: Talk) -> Ended:
    frames = FrameReader(FRAME_LIMIT)
    while True:
        try:
            data = await reader.read(READ)
        except OSError:
            return Ended.MACHINE
        if not data:
            return Ended.MACHINE
        for frame in frames.feed(data):
            content = opened(frame)
            if isinstance(content, ChannelViewer):
                raise FrameError("a guest does not say whose stream it is")
            try:
                async with asyncio.timeout(STALL_S):
                    await talk.send(content)
            except TimeoutError:
                return Ended.STALLED
            except OSError:
                return Ended.VIEWER
