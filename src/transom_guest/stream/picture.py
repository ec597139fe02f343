"""The encoder's picture: I420 in memory of GStreamer's that stays, only its damaged rows converted anew."""

from __future__ import annotations

import ctypes

from transom_guest.stream import yuv
from transom_guest.stream.gst import Gst, GstError

MIN_SIDE = 16
"""Pixels: x264 takes no smaller picture."""


class _Memory:
    """A block of GStreamer's memory and its address, which does not move."""

    def __init__(self, size: int) -> None:
        whole = Gst.Buffer.new_allocate(None, size, None)
        mapped, info = whole.map(Gst.MapFlags.WRITE)
        if not mapped:
            raise GstError("memory cannot be mapped")
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(info.data))
        whole.unmap(info)
        self.memory = whole.get_memory(0)


class Picture:
    """One size of desktop, and of picture: `percent` of it. One frame at a time may be in the encoder."""

    def __init__(self, width: int, height: int, percent: int) -> None:
        """Both sides even. Raises GstError, OSError."""
        self._whole = yuv.layout(width, height)
        self._full = _Memory(self._whole.size)
        self.form = yuv.layout(*scaled(width, height, percent))
        self._small = _Memory(self.form.size) if self.form != self._whole else None

    def update(self, address: int, stride: int, rows: tuple[int, int] | None) -> Gst.Buffer:
        """Take rows (first, after the last) of the BGRx screen at `address`; return the whole as a buffer."""
        if rows is not None:
            top, bottom = rows[0] & ~1, min((rows[1] + 1) & ~1, self._whole.height)
            yuv.convert(address, stride, self._full.address, self._whole, top, bottom)
            if self._small is not None:
                yuv.scale(self._full.address, self._whole, self._small.address, self.form)
        buffer = Gst.Buffer.new()
        buffer.append_memory((self._small or self._full).memory)
        return buffer


def scaled(width: int, height: int, percent: int) -> tuple[int, int]:
    """Even sides of `percent` of a picture, never under MIN_SIDE or over the picture itself."""

    def side(whole: int) -> int:
        return min(max(round(whole * percent / 200) * 2, MIN_SIDE), whole)

    return side(width), side(height)
