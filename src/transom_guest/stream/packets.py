"""H.264 into RTP packets (RFC 6184, packetization mode 1) with header extensions (RFC 8285). Pure.

Our own, because a payloader of GStreamer's stamps what it is given when it is given it, while a frame's time here
is that of its grab, for marks; and because packets that are bytes can be paced.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from transom_guest.stream.h264 import DELIMITER, units

MTU = 1200
"""Bytes of an RTP packet, header and all."""
CLOCK_RATE = 90000
"""RTP's ticks a second for video."""
_STAP_A, _FU_A = 24, 28
_SEI = 6
_SEQUENCE = 1 << 16
_TICKS = 1 << 32


def extension(values: Mapping[int, bytes]) -> bytes:
    """The header extension of one-byte form: ids from 1 to 14, values of 1 to 16 bytes. Empty without any."""
    if not values:
        return b""
    body = b"".join(bytes([id << 4 | len(value) - 1]) + value for id, value in values.items())
    body += b"\0" * (-len(body) % 4)
    return struct.pack("!HH", 0xBEDE, len(body) // 4) + body


def payloads(data: bytes, room: int) -> list[bytes]:
    """The RTP payloads of an access unit, none over `room` bytes: small units together, large ones in parts."""
    found: list[bytes] = []
    small: list[bytes] = []
    size = 1
    for unit in units(data):
        if not unit or unit[0] & 31 in (DELIMITER, _SEI):
            continue
        if small and size + 2 + len(unit) > room:
            found.append(_together(small))
            small, size = [], 1
        if len(unit) > room:
            found += _parts(unit, room)
        else:
            small.append(unit)
            size += 2 + len(unit)
    return [*found, _together(small)] if small else found


def _together(small: list[bytes]) -> bytes:
    if len(small) == 1:
        return small[0]
    importance = max(unit[0] & 0x60 for unit in small)
    return bytes([importance | _STAP_A]) + b"".join(struct.pack("!H", len(unit)) + unit for unit in small)


def _parts(unit: bytes, room: int) -> list[bytes]:
    indicator, kind = unit[0] & 0xE0 | _FU_A, unit[0] & 31
    step = room - 2
    last = (len(unit) - 2) // step * step + 1
    return [
        bytes([indicator, (at == 1) << 7 | (at == last) << 6 | kind]) + unit[at : at + step]
        for at in range(1, len(unit), step)
    ]


class Packetizer:
    """One RTP stream of one viewer."""

    def __init__(self, payload_type: int, ssrc: int, extensions: Mapping[int, bytes], first: int = 0) -> None:
        """`first`: the first sequence number."""
        self._payload_type, self._ssrc = payload_type, ssrc
        self._extension = extension(extensions)
        self._sequence = first

    @property
    def next(self) -> int:
        """The sequence number of the next packet."""
        return self._sequence

    def packets(self, data: bytes, timestamp: int) -> list[bytes]:
        """The packets of one access unit, the last one marked."""
        room = MTU - 12 - len(self._extension)
        parts = payloads(data, room)
        first = 0x90 if self._extension else 0x80
        made: list[bytes] = []
        for index, part in enumerate(parts):
            marked = (index == len(parts) - 1) << 7
            header = struct.pack(
                "!BBHII", first, marked | self._payload_type, self._sequence, timestamp % _TICKS, self._ssrc
            )
            made.append(header + self._extension + part)
            self._sequence = (self._sequence + 1) % _SEQUENCE
        return made
