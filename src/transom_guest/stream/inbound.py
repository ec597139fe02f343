"""What one viewer's transport takes in beside data channels: RTCP, and packets that are under no key of its own.

GStreamer drops what is malformed, tells nobody, and keeps something for each sender it heard of. Here packets are
judged before: dropped, counted, bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transom_guest.stream.allowance import Allowance
from transom_guest.stream.gst import Gst
from transom_guest.stream.rtcp import head_fits, senders_of
from transom_guest.stream.sctp import packets_of
from transom_guest.stream.senders import Senders, is_rtcp, sender

REPORT_RATE, REPORT_BURST, REPORT_DEBT = 400, 1000, 2000
"""Packets of RTCP a second, at once, and beyond that until the viewer is ended. A browser sends some twenty a second,
and a hundred while it asks for what was lost."""
DROPPED = "recv-drop-count"
"""Of srtpdec's statistics."""


class Inbound:
    """Of one peer. Looks where `watch` is told of elements; from GStreamer's threads."""

    def __init__(self, flooded: Callable[[str], None]) -> None:
        """`flooded` hears once of too many of something."""
        self._flooded, self._told = flooded, False
        self._allowance = Allowance(REPORT_RATE, REPORT_BURST, REPORT_DEBT)
        self._sealed, self._opened = Senders(), Senders()
        self._decoders: list[Any] = []
        self._probes: list[tuple[Any, int]] = []
        self._strange = 0
        self.malformed = 0
        """Packets of RTCP that were none."""

    @property
    def too_many(self) -> int:
        """Packets of RTCP that were more at once than any page sends."""
        return self._allowance.refused

    def forged(self) -> int:
        """Packets that were not sealed by this viewer's keys, came twice, or were of more senders than a page has."""
        counts = (decoder.get_property("stats").get_value(DROPPED) for decoder in self._decoders)
        return self._strange + sum(map(int, counts))

    def watch(self, element: Any) -> None:
        """An element was added to the peer's pipeline."""
        name = element.__gtype__.name
        if name == "GstSrtpDec":
            self._decoders.append(element)
            self._probe(element, "rtp_sink", self._arriving)
            self._probe(element, "rtcp_sink", self._arriving)
        elif name == "GstDtlsSrtpDec":
            self._probe(element, "rtcp_src", self._report)

    def close(self) -> None:
        """Let go of it all."""
        for pad, probe in self._probes:
            pad.remove_probe(probe)
        self._probes.clear()
        self._decoders.clear()

    def _probe(self, element: Any, pad: str, look: Callable[[Any, Any], Any]) -> None:
        found, kinds = element.get_static_pad(pad), Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST
        self._probes.append((found, found.add_probe(kinds, look)))

    def _arriving(self, _pad: Any, info: Any) -> Any:
        for packet in packets_of(info, several=bool(info.type & Gst.PadProbeType.BUFFER_LIST)):
            if is_rtcp(packet) and not head_fits(packet):
                self.malformed += 1
                return Gst.PadProbeReturn.DROP
            name = sender(packet)
            if name is None or not self._sealed.admit((name,)):
                self._strange += 1
                return Gst.PadProbeReturn.DROP
        return Gst.PadProbeReturn.OK

    def _report(self, _pad: Any, info: Any) -> Any:
        for packet in packets_of(info, several=bool(info.type & Gst.PadProbeType.BUFFER_LIST)):
            if not self._allowance.take():
                self._end()
                return Gst.PadProbeReturn.DROP
            names = senders_of(packet)
            if names is None or not self._opened.admit(names):
                self.malformed += 1
                return Gst.PadProbeReturn.DROP
        return Gst.PadProbeReturn.OK

    def _end(self) -> None:
        if self._allowance.overdrawn and not self._told:
            self._told = True
            self._flooded("reports")
