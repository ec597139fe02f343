"""Length-prefixed frames: four bytes, big-endian, then that many bytes of UTF-8 JSON."""

from __future__ import annotations

import struct

HEADER = struct.Struct("!I")
MAX_FRAME = 256 * 1024
"""Bytes. An SDP is under 16 KiB and a sealed credential under 128 KiB; what is larger is an attack."""


class FrameError(ValueError):
    """The peer announced a frame that is empty or over the limit."""


def pack(body: bytes, limit: int = MAX_FRAME) -> bytes:
    """Return `body` with its header. Raises FrameError when it is empty or over `limit` bytes."""
    if not 0 < len(body) <= limit:
        raise FrameError(f"frame of {len(body)} bytes, allowed 1..{limit}")
    return HEADER.pack(len(body)) + body


class FrameReader:
    """Bytes in, whole frames out. Holds at most one unfinished frame."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add `data`, return the frames it completes. Raises FrameError; the reader is then useless."""
        self._buffer += data
        frames: list[bytes] = []
        offset = 0
        while len(self._buffer) - offset >= HEADER.size:
            (size,) = HEADER.unpack_from(self._buffer, offset)
            if not 0 < size <= self._limit:
                raise FrameError(f"frame of {size} bytes announced, allowed 1..{self._limit}")
            start = offset + HEADER.size
            if len(self._buffer) - start < size:
                break
            frames.append(bytes(self._buffer[start : start + size]))
            offset = start + size
        del self._buffer[:offset]
        return frames

    @property
    def remainder(self) -> bytes:
        """Bytes after the last whole frame: what a raw stream began with, once framing has ended."""
        return bytes(self._buffer)
