"""A token bucket. Pure: the caller brings the time."""

from __future__ import annotations


class Bucket:
    """Lets `rate` units a second through, and up to `burst` at once."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._level, self._at = burst, now

    def take(self, units: float, now: float) -> bool:
        """True when `units` may pass at `now` (seconds of a clock that never goes back); they are then spent."""
        self._level = min(self._burst, self._level + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
        if units > self._level:
            return False
        self._level -= units
        return True
