"""How large a desktop may be: the one rule for controller, guest and page.

Each frame is copied, encoded and sent whole, so that its cost goes with the area, and not with a side.
"""

from __future__ import annotations

from math import isqrt

MIN_SIDE, MAX_SIDE = 64, 7680
"""Pixels."""
MAX_AREA = 4096 * 2304
"""Pixels; what the encoder keeps up with on ordinary hardware."""


def even(width: int, height: int) -> tuple[int, int]:
    """The size with odd numbers rounded down: video's colours come in squares of two by two pixels."""
    return width & ~1, height & ~1


def allowed(width: int, height: int) -> bool:
    """Whether a desktop may have this size, once rounded down to even numbers."""
    width, height = even(width, height)
    sides = min(width, height) >= MIN_SIDE and max(width, height) <= MAX_SIDE
    return sides and width * height <= MAX_AREA


def fit(width: int, height: int) -> tuple[int, int]:
    """The allowed size that is nearest: sides within their limits, then of the same shape within the area."""
    width, height = even(*(min(max(side, MIN_SIDE), MAX_SIDE) for side in (width, height)))
    if width * height > MAX_AREA:
        width, height = isqrt(MAX_AREA * width // height), isqrt(MAX_AREA * height // width)
    return even(width, height)
