"""One peer's data channels: how many there may be, and what is said and heard on them.

A viewer makes them, and each costs webrtcbin two threads from its stream's first packet on, whatever its
label: whoever makes more than any page does is ended, before they use up what the machine has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from transom_guest.stream.allowance import Allowance
from transom_guest.stream.clip_channel import LABEL, ClipChannel, Connect
from transom_guest.stream.gst import Gst, GstWebRTC
from transom_guest.stream.sctp import highest_stream, packets_of
from transom_guest.stream.waiting import Waiting
from transom_wire.rate import DRIVER_RATE, WATCHER_RATE

MAX_CHANNELS = 8
"""A page makes three."""
MAX_STREAMS = 2 * MAX_CHANNELS
"""Each side numbers its channels with every other stream from 0 or 1 on (RFC 8832, 6)."""
MAX_QUEUED, MAX_QUEUED_CHARS = 500, 1 << 20
"""Messages from one viewer, and their characters, that may wait for the event loop; more are dropped and counted."""
MAX_BUFFERED = 1 << 20
"""Bytes unsent on a viewer's channel after which it is told no more."""
LABELS = ("control", "motion", LABEL)


class ChannelEvents(Protocol):
    """What a peer's channels tell it, in the event loop's thread."""

    def channel_open(self, label: str) -> None: ...
    def channel_heard(self, text: str | None, label: str) -> None:
        """Text; None for a message that is not even text, or one too many."""

    def channels_flooded(self, what: str) -> None:
        """Too many of `what`: channels, of which one twice is too many, or messages."""


class Channels:
    """Those of one peer, which keeps alive whatever is handed to `keep`."""

    def __init__(
        self,
        events: ChannelEvents,
        clipboard: ClipChannel,
        *,
        connect: Connect,
        keep: Callable[[Any], None],
        to_loop: Callable[..., None],
    ) -> None:
        self._events, self._clipboard = events, clipboard
        self._connect, self._keep, self._to_loop = connect, keep, to_loop
        self._open: dict[str, Any] = {}
        self._labels: list[str] = []
        self._probes: list[tuple[Any, int]] = []
        self._waiting = Waiting(MAX_QUEUED, MAX_QUEUED_CHARS)
        self.allowance = Allowance(DRIVER_RATE)
        self._flooded = False
        self._closed = False

    def say(self, text: str, label: str) -> bool:
        """Send `text`; False when that channel is not open or too far behind."""
        channel = self._open.get(label)
        if channel is None or channel.get_property("buffered-amount") > MAX_BUFFERED:
            return False
        channel.emit("send-string", text)
        return True

    def hold_to(self, *, drives: bool) -> None:
        """Who only watches has little to say."""
        self.allowance.allow(DRIVER_RATE if drives else WATCHER_RATE)

    def close(self) -> None:
        """Let go of them all."""
        self._closed = True
        self._clipboard.close()
        for pad, probe in self._probes:
            pad.remove_probe(probe)
        self._probes.clear()
        self._open.clear()

    # what follows runs in GStreamer's threads

    def guard(self, decoder: Any) -> None:
        """Let nothing of a stream beyond MAX_STREAMS into this sctpdec: it would be two threads already."""
        pad, kinds = decoder.get_static_pad("sink"), Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST
        self._probes.append((pad, pad.add_probe(kinds, self._arriving)))

    def made(self, channel: Any) -> None:
        """The viewer made a channel. One that nobody knows is left alone."""
        label = channel.get_property("label")
        self._keep(channel)
        twice = label in LABELS and label in self._labels
        self._labels.append(label)
        if twice or len(self._labels) > MAX_CHANNELS:
            self._to_loop(self._events.channels_flooded, "channels")
        elif label == LABEL:
            self._clipboard.attach(channel, self._connect, self._may_say)
        elif label in LABELS:
            self._attach(channel)

    def _attach(self, channel: Any) -> None:
        self._connect(channel, "on-message-string", self._text)
        self._connect(channel, "on-message-data", self._not_text)
        self._connect(channel, "on-open", self._opened)
        if channel.get_property("ready-state") == GstWebRTC.WebRTCDataChannelState.OPEN:
            self._opened(channel)

    def _arriving(self, _pad: Any, info: Any) -> Any:
        packets = packets_of(info, several=bool(info.type & Gst.PadProbeType.BUFFER_LIST))
        if all(highest_stream(packet) < MAX_STREAMS for packet in packets):
            return Gst.PadProbeReturn.OK
        self._to_loop(self._events.channels_flooded, "channels")
        return Gst.PadProbeReturn.DROP

    def _opened(self, channel: Any) -> None:
        self._to_loop(self._is, channel, channel.get_property("label"))

    def _may_say(self) -> bool:
        """One more message, on whichever channel: too many reach no further than this thread."""
        fits = self.allowance.take()
        if self.allowance.overdrawn and not self._flooded:
            self._flooded = True
            self._to_loop(self._events.channels_flooded, "messages")
        return fits

    def _text(self, channel: Any, text: str | None) -> None:
        if self._may_say():
            self._to_loop(self._heard, self._waiting.admit(text), channel.get_property("label"))

    def _not_text(self, channel: Any, _data: Any) -> None:
        if self._may_say():
            self._to_loop(self._heard, self._waiting.admit(None), channel.get_property("label"))

    # and from here on the event loop's thread again

    def _is(self, channel: Any, label: str) -> None:
        if not self._closed and label not in self._open:
            self._open[label] = channel
            self._events.channel_open(label)

    def _heard(self, text: str | None, label: str) -> None:
        self._waiting.release(text)
        if not self._closed:
            self._events.channel_heard(text, label)
