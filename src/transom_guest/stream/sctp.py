"""Which streams an SCTP packet has data for (RFC 9260, 3.3.1). What it reads comes from a viewer: hostile."""

from __future__ import annotations

from typing import Any

HEADER, CHUNK_HEADER = 12, 4
DATA, I_DATA = 0, 64
"""Chunk types that carry a stream's data; both have its number 8 bytes in (RFC 8260, 2.1)."""


def highest_stream(packet: bytes) -> int:
    """The highest number of a stream that `packet` has data for; -1 when it has none, or is cut before any."""
    highest, at = -1, HEADER
    while at + CHUNK_HEADER <= len(packet):
        length = int.from_bytes(packet[at + 2 : at + 4])
        if length < CHUNK_HEADER:
            break
        if packet[at] in (DATA, I_DATA) and at + 10 <= len(packet):
            highest = max(highest, int.from_bytes(packet[at + 8 : at + 10]))
        at += (length + 3) & ~3
    return highest


def packets_of(probed: Any, *, several: bool) -> list[bytes]:
    """The packets of a GStreamer pad's probe; `several`: it has a list. Each getter warns where the other's is."""
    if several:
        some = probed.get_buffer_list()
        return [] if some is None else [_bytes(some.get(index)) for index in range(some.length())]
    one = probed.get_buffer()
    return [] if one is None else [_bytes(one)]


def _bytes(buffer: Any) -> bytes:
    return bytes(buffer.extract_dup(0, buffer.get_size()))
