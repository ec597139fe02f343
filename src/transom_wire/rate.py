"""A token bucket: how much of something may pass. Pure: the caller brings the time."""

from __future__ import annotations

DRIVER_RATE = 4000
"""Messages a second of a viewer who drives: a mouse that tells of itself a thousand times a second is far below."""
WATCHER_RATE = 200
"""And of one who only watches: pings, and now and then a question for a picture."""
BURST, DEBT = 2500, 1000
"""Messages of a viewer at once, and those beyond it after which it is ended."""
HAIR = 1e-9
"""Units that rounding may lack: who waits as long as it was told is let through."""


class Bucket:
    """Lets `rate` units a second through, and up to `burst` at once.

    What did not pass costs nothing, unless there is a `debt`: then it is owed, no deeper than that, and who owes all
    of it says more than anybody who means well.
    """

    __slots__ = ("_at", "_burst", "_debt", "_left", "_rate")

    def __init__(self, rate: float, burst: float, now: float, debt: float = 0.0) -> None:
        self._rate, self._burst, self._debt = rate, burst, debt
        self._left, self._at = burst, now

    def take(self, units: float, now: float) -> bool:
        """True when `units` may pass at `now` (seconds of a clock that never goes back); they are then spent."""
        self._fill(now)
        passes = units <= self._left + HAIR
        if passes or self._debt:
            self._left = max(self._left - units, -self._debt)
        return passes

    def spend(self, units: float, now: float) -> None:
        """So many pass, whether there is room for them or not: it is owed, however much."""
        self._fill(now)
        self._left -= units

    def wait_s(self, units: float, now: float) -> float:
        """Seconds from `now` until there is room for `units`; more than a burst have it only one after another."""
        self._fill(now)
        return max(units - self._left, 0.0) / self._rate

    def change(self, rate: float, now: float, burst: float | None = None) -> None:
        """From `now` on so many units a second, and at once; what was spent stays spent."""
        self._fill(now)
        self._rate = rate
        if burst is not None:
            self._left += burst - self._burst
            self._burst = burst

    @property
    def overdrawn(self) -> bool:
        """All of the debt there may be is owed."""
        return self._debt > 0 and self._left <= -self._debt

    def _fill(self, now: float) -> None:
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
