"""Timings of a display that is in memory."""

from __future__ import annotations

FRAME_RATE = 60


def modeline(width: int, height: int) -> list[str]:
    """Timings for RandR. A display in memory has no beam: only the sizes matter, and 60 Hz is for show."""
    clock = width * height * FRAME_RATE / 1e6
    return [f"{clock:.2f}", *[str(width)] * 4, *[str(height)] * 4]
