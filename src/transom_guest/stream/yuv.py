"""libyuv by ctypes: BGRx rows into I420, and I420 into a smaller one. BT.601, studio range, as browsers assume.

libyuv calls a pixel by its word in little endian: what X calls BGRx is its "ARGB". ctypes lets go
of Python's lock meanwhile.
"""

from __future__ import annotations

import ctypes as c
from dataclasses import dataclass
from functools import cache

BOX_FILTER = 3
"""libyuv's kFilterBox: every pixel of the large picture counts."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where GStreamer has the planes of an I420 picture with even sides: offsets and strides in bytes."""

    width: int
    height: int
    strides: tuple[int, int, int]
    offsets: tuple[int, int, int]
    size: int

    def planes(self, address: int, top: int = 0) -> list[tuple[int, int]]:
        """Address and stride of each plane from row `top` on, which is even."""
        rows = (top, top // 2, top // 2)
        return [
            (address + offset + row * stride, stride)
            for offset, row, stride in zip(self.offsets, rows, self.strides, strict=True)
        ]


def layout(width: int, height: int) -> Layout:
    """The layout of an I420 picture: rows are padded to four bytes."""
    luma = (width + 3) & ~3
    chroma = (width // 2 + 3) & ~3
    first = luma * height
    second = first + chroma * (height // 2)
    size = second + chroma * (height // 2)
    return Layout(width, height, (luma, chroma, chroma), (0, first, second), size)


@cache
def _libyuv() -> c.CDLL:
    lib = c.CDLL("libyuv.so.0")
    plane = (c.c_void_p, c.c_int)
    lib.ARGBToI420.argtypes = (*plane, *plane, *plane, *plane, c.c_int, c.c_int)
    lib.I420Scale.argtypes = (
        *(*plane, *plane, *plane, c.c_int, c.c_int),
        *(*plane, *plane, *plane, c.c_int, c.c_int, c.c_int),
    )
    return lib


def load() -> None:
    """Raises OSError when the image lacks libyuv."""
    _libyuv()


def convert(source: int, stride: int, target: int, form: Layout, top: int, bottom: int) -> None:
    """Convert rows `top` up to `bottom` of the BGRx picture at address `source`; both are even."""
    planes = [word for plane in form.planes(target, top) for word in plane]
    _libyuv().ARGBToI420(source + top * stride, stride, *planes, form.width, bottom - top)


def scale(source: int, form: Layout, target: int, smaller: Layout) -> None:
    """Scale the whole I420 picture at `source` into the one at `target`."""
    large = [word for plane in form.planes(source) for word in plane]
    small = [word for plane in smaller.planes(target) for word in plane]
    _libyuv().I420Scale(*large, form.width, form.height, *small, smaller.width, smaller.height, BOX_FILTER)
