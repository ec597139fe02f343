"""Keys and clipboard on the noVNC rung: messages of a WebSocket to frames of a stream of kind `channel`, and back.

What is in them is the guest's and the page's: nothing here looks at it. A guest that frames it wrongly is cut.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from transom.stream.fallback import Activity, Ended, Source, first_end, told, up
from transom_wire.channel import FRAME_LIMIT, ChannelViewer, opened
from transom_wire.framing import FrameError, FrameReader

READ = 64 * 1024
"""Bytes taken from the guest at once."""


class Talk(Source, Protocol):
    """A WebSocket, as far as a channel needs one: what it hands on are frames."""

    async def send(self, message: str | bytes) -> None:
        """Send a message; returns when there is room for more."""


async def carry(
    talk: Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, active: Activity
) -> Ended:
    """Carry messages both ways until one side ends; `active` is called for each of the viewer's.

    The stream's first frame, a ChannelViewer, is the caller's to write. Raises FrameError for what no guest says.
    """
    return await first_end(up(talk, writer, active), _down(reader, talk), writer)


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
            if (ended := await told(talk.send(content))) is not None:
                return ended
