"""The clipboard's data channel of one peer: GStreamer's threads on one side, the event loop on the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from transom_guest.stream.gst import GLib, GstWebRTC
from transom_guest.stream.waiting import Waiting

LABEL = "clipboard"
MAX_QUEUED = 1200
"""Messages that may wait for the event loop: the largest item's, and some."""
MAX_QUEUED_BYTES = 17 * 2**20
"""Of them all: the largest item that a setting allows, and some."""
Connect = Callable[[Any, str, Callable[..., None]], None]


class ClipEvents(Protocol):
    """What is told, in the event loop's thread; `peer` is the channel's owner."""

    def peer_clip_open(self, peer: Any) -> None: ...
    def peer_clip(self, peer: Any, message: str | bytes | None) -> None:
        """Text or bytes of the viewer; None for one too many, or too large."""


class ClipChannel:
    """One peer's channel, once its viewer has made it."""

    def __init__(self, peer: object, events: ClipEvents) -> None:
        self._peer, self._events = peer, events
        self._loop = asyncio.get_running_loop()
        self._channel: Any = None
        self._waiting = Waiting(MAX_QUEUED, MAX_QUEUED_BYTES)
        self._closed = False

    def attach(self, channel: Any, connect: Connect, may_say: Callable[[], bool]) -> None:
        """In GStreamer's thread: the viewer made the channel. The peer keeps it, and its handlers. `may_say` is
        asked of each message: what it refuses is not looked at."""

        def text(_: Any, said: str | None) -> None:
            if may_say():
                self._came(said or "")

        def data(_: Any, said: Any) -> None:
            if may_say():
                self._came(said.get_data() if said else b"")

        connect(channel, "on-message-string", text)
        connect(channel, "on-message-data", data)
        connect(channel, "on-open", self._open)
        if channel.get_property("ready-state") == GstWebRTC.WebRTCDataChannelState.OPEN:
            self._open(channel)

    def clip(self, message: str | bytes) -> bool:
        """Send; False when the channel is not open."""
        channel = self._channel
        if channel is None:
            return False
        if isinstance(message, str):
            channel.emit("send-string", message)
        else:
            channel.emit("send-data", GLib.Bytes.new(message))
        return True

    def clip_waiting(self) -> int:
        """Bytes that are not sent yet."""
        return 0 if self._channel is None else int(self._channel.get_property("buffered-amount"))

    def close(self) -> None:
        """Let go of the channel."""
        self._closed, self._channel = True, None

    def _open(self, channel: Any) -> None:
        self._to_loop(self._is, channel)

    def _came(self, message: str | bytes) -> None:
        self._to_loop(self._hear, self._waiting.admit(message))

    def _to_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    def _is(self, channel: Any) -> None:
        if not self._closed and self._channel is None:
            self._channel = channel
            self._events.peer_clip_open(self._peer)

    def _hear(self, message: str | bytes | None) -> None:
        self._waiting.release(message)
        if not self._closed:
            self._events.peer_clip(self._peer, message)
