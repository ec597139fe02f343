"""How many bytes the next frame may take. Pure.

x264 counts frames, not time: each refills its buffer by one sixtieth of a second, so that a screen that
was still for a minute has no more to spend than one that was not. Before each frame it is told a bitrate
that refills what the time since the last one would, and a buffer of the same bits as before.
"""

from __future__ import annotations

from dataclasses import dataclass

BITRATE_CAP = 2000
"""kbit/s that motion is held under, until `set_bitrate`."""
VBV_MS = 500
"""What may be sent at once, in milliseconds of the bitrate."""
PAYLOAD = 0.92
"""Of the bitrate, in the frames themselves; the rest are headers, and what x264 takes beyond its word."""
SETTLED = 64
"""Bytes of a repeated frame, at most, that has nothing left to sharpen; two slices that skip everything are 27."""
FRAME_RATE = 60
"""What x264 is told; a frame is a sixtieth of a second to it."""

MOST = 2_000_000
"""kbit/s that x264enc takes at most."""


@dataclass(frozen=True, slots=True)
class Vbv:
    """x264enc's `bitrate` in kbit/s and `vbv-buf-capacity` in milliseconds."""

    bitrate: int
    capacity: int


class Budget:
    """The bitrate as x264 must be told it. Times are monotonic seconds."""

    def __init__(self, kbps: int = BITRATE_CAP, vbv_ms: int = VBV_MS) -> None:
        self._last = float("-inf")
        self._still = False
        self.set(kbps, vbv_ms)

    def set(self, kbps: int, vbv_ms: int = VBV_MS, burst_kbps: int = 0) -> None:
        """Another bitrate; a still picture sharpens at `burst_kbps`, where the link has proved so much more."""
        self._kbps, self._vbv_ms, self._burst = kbps, vbv_ms, max(burst_kbps, kbps)

    def next(self, now: float, *, still: bool) -> Vbv:
        """For the frame of this moment; `still`: it shows the same picture as the one before."""
        kbps = (self._burst if still else self._kbps) * PAYLOAD
        buffer = kbps * self._vbv_ms  # bits
        refill = min(max(now - self._last, 1 / FRAME_RATE) * kbps * 1000, buffer)
        self._last, self._still = now, still
        bitrate = min(max(round(refill * FRAME_RATE / 1000), 1), MOST)
        # x264 wants a buffer of a frame at least
        capacity = max(round(buffer / bitrate), 1000 // FRAME_RATE + 1)
        return Vbv(bitrate, capacity)

    def settled(self, size: int) -> bool:
        """Whether the frame of the last `next`, of `size` bytes, says that the picture is as sharp as it gets."""
        return self._still and size <= SETTLED
