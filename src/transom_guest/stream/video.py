"""A viewer's video on its way to webrtcbin: access units in, RTP packets into an appsrc as its link takes them."""

from __future__ import annotations

import secrets
import threading
import time

from transom_guest.stream.drawn import Drawn
from transom_guest.stream.early import EarlyFrames
from transom_guest.stream.encode import AccessUnit
from transom_guest.stream.gst import Gst, GstApp, make
from transom_guest.stream.offer import H264, rtp_caps
from transom_guest.stream.packet_pacer import PacketPacer
from transom_guest.stream.packets import CLOCK_RATE, MTU, Packetizer
from transom_guest.stream.rate import START_KBPS
from transom_guest.stream.rate_decision import Decision
from transom_guest.stream.rate_repair import Repairs

MAX_QUEUED_BYTES = 1 << 20
"""A peer that is further behind in GStreamer..."""
MAX_QUEUED_S = 1.0
"""...or in its pacer starts anew at a key frame."""


class Video:
    """One RTP stream. `push` and `again` may be called from any thread, but not by two at once."""

    def __init__(self, codec: H264) -> None:
        """In the event loop's thread. Raises GstError."""
        self.ssrc = secrets.randbelow(2**31) + 1
        # transport-wide numbers are written by rtpsession, over what is here
        extensions = {} if codec.twcc is None else {codec.twcc: b"\0\0"}
        if codec.playout_delay is not None:
            extensions[codec.playout_delay] = b"\0\0\0"  # at least and at most 0 ms: shown when decoded
        self._packetizer = Packetizer(codec.payload_type, self.ssrc, extensions, secrets.randbelow(2**15))
        self._epoch = secrets.randbelow(2**32)
        self.caps = Gst.Caps.from_string(f"{rtp_caps(codec)},ssrc=(uint){self.ssrc}")
        self.source = make(
            "appsrc", is_live=True, format=Gst.Format.TIME, do_timestamp=True, max_bytes=0, caps=self.caps
        )
        self._pacer, self._repairs = PacketPacer(self._send, START_KBPS), Repairs()
        self._sending = self._open = False
        self._early: EarlyFrames[AccessUnit] = EarlyFrames()
        self._opening = threading.Lock()
        self.drawn = Drawn()

    def rtp_time(self, seconds: float) -> int:
        """The RTP timestamp of a monotonic time."""
        return (self._epoch + round(seconds * CLOCK_RATE)) % 2**32

    def expect(self, seconds: float) -> None:
        """The viewer is connecting: for so long its first frames are made and kept."""
        self._early.expect(time.monotonic() + seconds)

    @property
    def expected(self) -> bool:
        """Whether frames are kept now."""
        return self._early.expected(time.monotonic())

    def begin(self) -> bool:
        """The viewer is connected: it is sent what was kept. False when there was nothing."""
        with self._opening:
            self._open = True
            frames = self._early.take(time.monotonic())
            return all(self._push(unit) for unit in frames) and bool(frames)

    def push(self, unit: AccessUnit) -> bool:
        """Take one frame; False when the viewer must wait for a key frame."""
        with self._opening:
            return self._push(unit) if self._open else self._early.keep(unit)

    def _push(self, unit: AccessUnit) -> bool:
        behind = self.source.get_property("current-level-bytes") > MAX_QUEUED_BYTES
        if behind or self._pacer.empty_in() > MAX_QUEUED_S:
            self._sending = False
            return False
        self._sending = self._sending or unit.key
        if unit.key:
            self._repairs.renewed(self._packetizer.next)
        if self._sending:
            rtp_time = self.rtp_time(unit.grabbed)
            self.drawn.sent(rtp_time)
            self._pacer.put(self._packetizer.packets(unit.data, rtp_time))
        return self._sending

    def again(self, number: int) -> bool:
        """Whether the packet of this sequence number may be sent again now."""
        granted = self._repairs.take(time.monotonic(), number)
        if granted:
            self._pacer.spent(MTU)
        return granted

    def hopeless(self) -> bool:
        """Whether so much is lost that the viewer needs a key frame; true once."""
        return self._repairs.hopeless(time.monotonic())

    def carry(self, decision: Decision, rtt_s: float) -> None:
        """What the viewer's link carries from now on."""
        self._pacer.carry(decision.kbps, decision.burst_kbps)
        self._repairs.kbps, self._repairs.rtt_s = decision.kbps, rtt_s

    def behind_s(self) -> float:
        """Seconds until all that was pushed has left."""
        return self._pacer.empty_in()

    def close(self) -> None:
        """Send nothing any more, and expect nobody."""
        self._early.expect(float("-inf"))
        self._pacer.close()

    def _send(self, packets: list[bytes]) -> None:
        if len(packets) == 1:
            GstApp.AppSrc.push_buffer(self.source, Gst.Buffer.new_wrapped(packets[0]))
            return
        some = Gst.BufferList.new()
        for packet in packets:
            some.insert(-1, Gst.Buffer.new_wrapped(packet))
        GstApp.AppSrc.push_buffer_list(self.source, some)
