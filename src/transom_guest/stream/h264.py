"""What a recording needs of H.264 (ITU-T H.264, 7.3): where a frame's units are, how large the picture is."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

SPS, PPS, DELIMITER = 7, 8, 9
WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""profile_idc of streams whose parameter sets have chroma fields (7.3.2.1.1)."""
_START = re.compile(rb"\x00\x00\x01")


def units(data: bytes) -> Iterator[bytes]:
    """The NAL units of an Annex B byte stream, without start codes."""
    starts = [found.end() for found in _START.finditer(data)]
    for start, after in zip(starts, [*starts[1:], len(data) + 3], strict=False):
        yield data[start : after - 3].rstrip(b"\0")


def split(data: bytes) -> tuple[bytes, bytes, bytes]:
    """(SPS, PPS, the rest with a length before each unit) of an access unit; empty what it has not."""
    sps = pps = b""
    rest: list[bytes] = []
    for unit in units(data):
        match unit[0] & 31 if unit else DELIMITER:
            case kind if kind == SPS:
                sps = unit
            case kind if kind == PPS:
                pps = unit
            case kind if kind != DELIMITER:
                rest += (struct.pack("!I", len(unit)), unit)
    return sps, pps, b"".join(rest)


def size_of(sps: bytes) -> tuple[int, int] | None:
    """Width and height of a 4:2:0 picture; None for what is no parameter set that can be read here."""
    if len(sps) < 5 or sps[0] & 31 != SPS:
        return None
    try:
        return _size(_Bits(sps[4:].replace(b"\0\0\3", b"\0\0")), chroma=sps[1] in WITH_CHROMA)
    except (IndexError, ValueError):
        return None


def _size(bits: _Bits, *, chroma: bool) -> tuple[int, int]:
    bits.golomb()  # seq_parameter_set_id
    if chroma:
        if bits.golomb() != 1:
            raise ValueError("not 4:2:0")
        bits.golomb()
        bits.golomb()
        if bits.take(1) or bits.take(1):
            raise ValueError("scaling lists are not read")
    bits.golomb()  # log2_max_frame_num
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        for _ in range(2):
            bits.golomb()
        for _ in range(min(bits.golomb(), 255)):
            bits.golomb()
    bits.golomb()  # max_num_ref_frames
    bits.take(1)
    width, height = 16 * (bits.golomb() + 1), 16 * (bits.golomb() + 1)
    frames = bits.take(1)
    if not frames:
        height *= 2
        bits.take(1)
    bits.take(1)
    if bits.take(1):
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width -= 2 * (left + right)
        height -= (2 if frames else 4) * (top + bottom)
    return width, height


class _Bits:
    """Reads bits, most significant first. Raises IndexError at the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._at >> 3] >> (7 - self._at % 8) & 1
            self._at += 1
        return value

    def golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
