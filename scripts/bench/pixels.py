"""The X root's pixels, and how alike two pictures are."""

from __future__ import annotations

import ctypes as c
from itertools import pairwise

from transom_guest.x11.shm import ALL_PLANES, XImage
from transom_guest.x11.xlib import Display, XError, declare

Z_PIXMAP = 2
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""The constants of SSIM (Wang and others, 2004) for 8 bits."""
SIDE = 4
"""Pixels of a block; a window is two blocks wide and high, and windows overlap by one."""


def root_luma(display: Display) -> tuple[int, int, bytes]:
    """Width, height and brightness of the whole screen, one byte a pixel. Raises XError."""
    long = c.c_ulong
    declare(
        display.x,
        {
            "XGetImage": (
                c.POINTER(XImage),
                (c.c_void_p, long, c.c_int, c.c_int, c.c_uint, c.c_uint, long, c.c_int),
            )
        },
    )
    width, height = display.size()
    image = display.x.XGetImage(display.pointer, display.root, 0, 0, width, height, ALL_PLANES, Z_PIXMAP)
    if not image:
        raise XError("the screen cannot be read")
    pixels = c.string_at(image.contents.data, 4 * width * height)
    display.x.XFree(image.contents.data)
    display.x.XFree(c.cast(image, c.c_void_p))
    return width, height, luma(pixels)


def luma(pixels: bytes) -> bytes:
    """Brightness of BGRx pixels (ITU-R BT.601), as the page reckons it."""
    blue, green, red = pixels[0::4], pixels[1::4], pixels[2::4]
    return bytes((77 * r + 150 * g + 29 * b) >> 8 for r, g, b in zip(red, green, blue, strict=True))


def ssim(one: bytes, other: bytes, width: int, height: int) -> float:
    """Mean structural similarity over windows of 8x8 pixels, each 4 from the next; 1 for equal pictures."""
    rows = [_blocks(one, other, width, 4 * row) for row in range(height // SIDE)]
    total, count = 0.0, 0
    for upper, lower in pairwise(rows):
        for at in range(len(upper) - 1):
            parts = (upper[at], upper[at + 1], lower[at], lower[at + 1])
            total += _similarity(*(sum(values) for values in zip(*parts, strict=True)))
            count += 1
    return total / count


def _blocks(one: bytes, other: bytes, width: int, top: int) -> list[tuple[int, int, int, int]]:
    """For each block of a row: both sums, the sum of all squares, the sum of the products."""
    lines = [(one[(top + y) * width :][:width], other[(top + y) * width :][:width]) for y in range(SIDE)]
    found = []
    for left in range(0, width - width % SIDE, SIDE):
        a = b"".join(line[left : left + SIDE] for line, _ in lines)
        b = b"".join(line[left : left + SIDE] for _, line in lines)
        squares = sum(x * x for x in a) + sum(x * x for x in b)
        found.append((sum(a), sum(b), squares, sum(x * y for x, y in zip(a, b, strict=True))))
    return found


def _similarity(sum_a: int, sum_b: int, squares: int, products: int) -> float:
    count = 4 * SIDE * SIDE
    mean_a, mean_b = sum_a / count, sum_b / count
    variances = squares / count - mean_a**2 - mean_b**2
    covariance = products / count - mean_a * mean_b
    alike = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    return alike / ((mean_a**2 + mean_b**2 + C1) * (variances + C2))
