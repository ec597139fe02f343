"""Whether an upload moves at all: one that dribbles holds a place that others wait for. Pure."""

from __future__ import annotations

WINDOW_S = 30.0
LEAST_BYTES = 30 * 1024
"""In each window: a kilobyte a second, a twentieth of what the slowest phone's network carries."""


class Pace:
    """Of one upload. `now` is seconds of a clock that does not go back."""

    def __init__(self, now: float) -> None:
        self._until, self._bytes = now + WINDOW_S, 0

    def moves(self, size: int, now: float) -> bool:
        """`size` more bytes came; False when the window that ended had too few."""
        if now >= self._until:
            enough, self._bytes = self._bytes >= LEAST_BYTES, size
            self._until = now + WINDOW_S
            return enough
        self._bytes += size
        return True
