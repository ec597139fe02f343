"""Transport-wide feedback as GStreamer hands it upstream: parsed there, packet by packet, from a viewer's RTCP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transom_guest.stream.gst import Gst
from transom_guest.stream.rate_estimate import MOST_PACKETS, Packet

EVENT = "RTPTWCCPackets"
"""rtpsession's custom upstream event; made for `rtpgccbwe` of gst-plugins-rs."""
ASKED = "GstRTPRetransmissionRequest"
"""rtpsession's upstream event for one lost packet."""
OVERHEAD = 60
"""Bytes of a packet beyond its payload, which is what the event counts: IPv4, UDP, RTP with extensions, SRTP's tag."""


def watch_repairs(element: Any, may: Callable[[int], bool], kept: list[Any]) -> None:
    """Have `may` asked for each packet to be sent again, if this is the element that keeps what was sent."""
    if element.__gtype__.name != "GstRtpRtxSend":
        return

    def upstream(_pad: Any, info: Any) -> Any:
        event = info.get_event()
        if not event.has_name(ASKED):
            return Gst.PadProbeReturn.OK
        with event.get_structure() as structure:
            number = structure.get_value("seqnum")
        return Gst.PadProbeReturn.OK if may(number) else Gst.PadProbeReturn.DROP

    pad = element.get_static_pad("src")
    pad.add_probe(Gst.PadProbeType.EVENT_UPSTREAM, upstream)
    kept.append(pad)


def packets_of(event: Any) -> list[Packet] | None:
    """What the event says of packets; None when it is another event."""
    if not event.has_name(EVENT):
        return None
    with event.get_structure() as structure:
        found = structure.get_value("packets") or []
        return [_packet(each) for each in found[:MOST_PACKETS]]


def _packet(each: Any) -> Packet:
    lost = bool(each.get_value("lost"))
    arrived = None if lost else each.get_value("remote-ts") / 1e9
    return Packet(each.get_value("local-ts") / 1e9, arrived, int(each.get_value("size")) + OVERHEAD)
