"""Unpacks LZ4 in the frame that kernels are packed with ("legacy"), in Python alone.

The format is in lz4's doc/lz4_Frame_format.md and doc/lz4_Block_format.md.
"""

from __future__ import annotations

MAGIC = b"\x02\x21\x4c\x18"
BLOCK = 8 * 2**20
"""Most bytes that one block may unpack to."""
LONG, MATCH_LEAST = 15, 4


def unpack(data: bytes, limit: int) -> bytes:
    """Return what `data` unpacks to, `limit` bytes at most. Raises ValueError when it is not whole LZ4."""
    if not data.startswith(MAGIC):
        raise ValueError("not LZ4")
    out, at = bytearray(), len(MAGIC)
    while at < len(data):
        if data[at : at + 4] == MAGIC:  # archives may follow each other
            at += 4
            continue
        size = int.from_bytes(data[at : at + 4], "little")
        block = data[at + 4 : at + 4 + size]
        if len(block) != size or not size:
            raise ValueError("LZ4 ends in the middle of a block")
        try:
            out += _block(block, min(BLOCK, limit - len(out)))
        except IndexError:
            raise ValueError("LZ4 ends in the middle of a sequence") from None
        at += 4 + size
    return bytes(out)


def _block(data: bytes, limit: int) -> bytearray:
    out, at, end = bytearray(), 0, len(data)
    while True:
        token = data[at]
        at += 1
        count = token >> 4
        if count == LONG:
            count, at = _longer(data, at, count)
        if at + count > end or len(out) + count > limit:
            raise ValueError("LZ4 literals pass the end")
        out += data[at : at + count]
        at += count
        if at == end:
            return out
        back = data[at] | data[at + 1] << 8
        count, at = token & 15, at + 2
        if count == LONG:
            count, at = _longer(data, at, count)
        count += MATCH_LEAST
        start = len(out) - back
        if not back or start < 0 or len(out) + count > limit:
            raise ValueError("LZ4 match passes the end")
        if back >= count:
            out += out[start : start + count]
        else:
            out += (out[start:] * (count // back + 1))[:count]


def _longer(data: bytes, at: int, count: int) -> tuple[int, int]:
    while True:
        more = data[at]
        count, at = count + more, at + 1
        if more != 255:
            return count, at
