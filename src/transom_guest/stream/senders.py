"""Names of senders (SSRCs) that one viewer's packets carry: so many, and no more. Pure.

GStreamer keeps kilobytes for each name it has seen, also where the packet is under no key and is dropped: a viewer
who makes up names without end would have all memory. A browser has one for what it reports and one for a microphone.
"""

from __future__ import annotations

from collections.abc import Iterable

MOST = 16
"""Names of one viewer."""
LEAST_RTP, LEAST_RTCP = 12, 8
"""Bytes of the shortest header, up to the name."""
RTCP_FIRST, RTCP_LAST = 192, 223
"""Second bytes that are RTCP's where it shares a port with RTP (RFC 5761, 4)."""


class Senders:
    """The names so far."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    def admit(self, names: Iterable[int]) -> bool:
        """Whether all of `names` are known, or there is room for them: then they are known from now on."""
        new = {name for name in names if name not in self._known}
        if len(self._known) + len(new) > MOST:
            return False
        self._known |= new
        return True


def is_rtcp(packet: bytes) -> bool:
    """Whether a packet is RTCP and not RTP."""
    return len(packet) >= LEAST_RTCP and RTCP_FIRST <= packet[1] <= RTCP_LAST


def sender(packet: bytes) -> int | None:
    """The name in the head of a sealed packet of RTP or RTCP, which is in the clear (RFC 3711, 3); None where there is
    none, and of RTP that names contributors as well: no browser's microphone has those."""
    if is_rtcp(packet):
        return int.from_bytes(packet[4:8])
    if len(packet) >= LEAST_RTP and not packet[0] & 0x0F:
        return int.from_bytes(packet[8:12])
    return None
