"""A viewer's video on its way to webrtcbin: access units in, RTP packets into an appsrc, perhaps by a pacer."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from transom_guest.stream.encode import AccessUnit
from transom_guest.stream.gst import Gst, GstApp, make
from transom_guest.stream.offer import H264, rtp_caps
from transom_guest.stream.packets import CLOCK_RATE, Packetizer

MAX_QUEUED_BYTES = 1 << 20
"""A peer that is further behind starts anew at a key frame."""
Send = Callable[[list[bytes]], None]


class Video:
    """One RTP stream. `push` and `send` may be called from any thread, but not by two at once."""

    def __init__(self, codec: H264) -> None:
        """Raises GstError."""
        self.ssrc = secrets.randbelow(2**31) + 1
        # transport-wide numbers are written by rtpsession, over what is here
        extensions = {} if codec.twcc is None else {codec.twcc: b"\0\0"}
        if codec.playout_delay is not None:
            extensions[codec.playout_delay] = b"\0\0\0"  # at least and at most 0 ms: shown when decoded
        self._packetizer = Packetizer(codec.payload_type, self.ssrc, extensions, secrets.randbelow(2**15))
        self._epoch = secrets.randbelow(2**32)
        # without the ssrc here webrtcbin invents another for its answer, and browsers show nothing
        caps = Gst.Caps.from_string(f"{rtp_caps(codec)},ssrc=(uint){self.ssrc}")
        self.source = make(
            "appsrc", is_live=True, format=Gst.Format.TIME, do_timestamp=True, max_bytes=0, caps=caps
        )
        self.pace: Send | None = None
        """Takes a frame's packets instead, and gives them to `send` when it thinks fit."""
        self.queued: Callable[[], int] = lambda: 0
        """Bytes that wait in the pacer."""
        self._sending = False

    def rtp_time(self, seconds: float) -> int:
        """The RTP timestamp of a monotonic time."""
        return (self._epoch + round(seconds * CLOCK_RATE)) % 2**32

    def push(self, unit: AccessUnit) -> bool:
        """Take one frame; False when the viewer must wait for a key frame."""
        if self.queued() + self.source.get_property("current-level-bytes") > MAX_QUEUED_BYTES:
            self._sending = False
        self._sending = self._sending or unit.key
        if self._sending:
            packets = self._packetizer.packets(unit.data, self.rtp_time(unit.grabbed))
            (self.pace or self.send)(packets)
        return self._sending

    def send(self, packets: list[bytes]) -> None:
        """Give packets to webrtcbin now."""
        if len(packets) == 1:
            GstApp.AppSrc.push_buffer(self.source, Gst.Buffer.new_wrapped(packets[0]))
            return
        some = Gst.BufferList.new()
        for packet in packets:
            some.insert(-1, Gst.Buffer.new_wrapped(packet))
        GstApp.AppSrc.push_buffer_list(self.source, some)
