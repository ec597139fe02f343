"""What the stream server listens on for a controller, beside the link: the recorder, and noVNC's channels."""

from __future__ import annotations

import asyncio
import os

from transom_guest.clipboard.service import Clipboard
from transom_guest.environment import channel_socket, record_socket
from transom_guest.input.succession import Succession
from transom_guest.stream.channel_streams import ChannelStreams, Hands
from transom_guest.stream.records import Records


class Sockets:
    """Both."""

    def __init__(self, records: Records, clipboard: Clipboard, hands: Hands, succession: Succession) -> None:
        self._records, self._channels = records, ChannelStreams(clipboard, hands, succession)

    async def run(self) -> None:
        """Listen until cancelled."""
        recording = self._records.run(record_socket(os.environ))
        await asyncio.gather(recording, self._channels.run(channel_socket(os.environ)))
