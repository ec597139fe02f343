"""Transport-wide feedback as GStreamer hands it upstream: parsed there, packet by packet, from a viewer's RTCP.

Of a viewer that gives none, receiver reports, parsed here: of several blocks in one, GStreamer keeps the last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from transom_guest.stream.gst import Gst
from transom_guest.stream.rate_estimate import MOST_PACKETS, Packet
from transom_guest.stream.rate_reports import LEAST_GAP_S, MOST_BYTES, Report, report_of

Told = list[Packet] | Report
"""What a viewer tells."""
OWN_REPORT_NS = 500_000_000
"""Nanoseconds between two reports of ours, half of it to one and a half: a viewer's have the round trip of the last."""

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


def watch_reports(
    element: Any, ssrc: int, tell: Callable[[Report], None], connect: Callable[..., None]
) -> None:
    """Have `tell` hear each receiver report on the stream `ssrc`, if this is the element that has the session."""
    if element.__gtype__.name != "GstRtpSession":
        return
    element.set_property("rtcp-min-interval", OWN_REPORT_NS)
    told_at = float("-inf")

    def heard(_session: Any, buffer: Any) -> None:
        nonlocal told_at
        if (now := time.monotonic()) < told_at + LEAST_GAP_S:
            return
        report = report_of(buffer.extract_dup(0, min(buffer.get_size(), MOST_BYTES)), ssrc, time.time())
        if report is not None:
            told_at = now
            tell(report)

    connect(element.get_property("internal-session"), "on-receiving-rtcp", heard)


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
