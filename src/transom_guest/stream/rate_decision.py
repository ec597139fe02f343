"""What is decided of one link: what the stream should be. Pure."""

from __future__ import annotations

from dataclasses import dataclass

SMOOTH_VBV_MS, TIGHT_VBV_MS = 500, 100
"""How much of the bitrate a frame may take at once: on a link that never was full, and on one that was..."""
TIGHT_FRAMES = 4
"""...and no less than so many frames' share: x264 gives each half of what is there at most, and blurs it otherwise."""
START_VBV_MS = 250


@dataclass(frozen=True, slots=True)
class Decision:
    """What the stream should be; `cause` is the newest reason."""

    kbps: int
    fps: int
    scale: int
    vbv_ms: int
    cause: str
    burst_kbps: int = 0
    """What the link has proved to carry for a moment; `kbps` at least."""


def vbv_ms(fps: int, *, tight: bool, start: bool) -> int:
    """Of a link that was full, or carries little, and of one of which nothing is known yet."""
    if tight:
        return max(TIGHT_VBV_MS, TIGHT_FRAMES * 1000 // fps)
    return START_VBV_MS if start else SMOOTH_VBV_MS
