"""A pointer's picture as PNG (ISO/IEC 15948): 8-bit RGBA, by zlib alone. Pure."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGBA, _DEPTH = 6, 8


def encode_png(width: int, height: int, argb: tuple[int, ...]) -> bytes:
    """Return a PNG of premultiplied 0xAARRGGBB pixels, `width * height` of them from the top left."""
    if width <= 0 or height <= 0 or len(argb) != width * height:
        raise ValueError("pixels and size differ")
    rows = bytearray()
    for top in range(0, len(argb), width):
        rows.append(0)
        for pixel in argb[top : top + width]:
            rows += _straight(pixel)
    head = struct.pack("!IIBBBBB", width, height, _DEPTH, _RGBA, 0, 0, 0)
    return (
        SIGNATURE
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(bytes(rows), 6))
        + _chunk(b"IEND", b"")
    )


def _straight(pixel: int) -> bytes:
    alpha = pixel >> 24 & 0xFF
    if alpha == 0:
        return b"\0\0\0\0"
    colours = (pixel >> 16 & 0xFF, pixel >> 8 & 0xFF, pixel & 0xFF)
    return bytes((*(min(255, colour * 255 // alpha) for colour in colours), alpha))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))
