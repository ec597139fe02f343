"""How much one viewer may say: a bucket of messages that fills at a rate. Any thread.

Each message costs the machine's threads something, also one that is not taken: without an end to it a viewer who
only watches would slow the one who drives.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from transom_wire.rate import BURST, DEBT, Bucket

PING_RATE, PING_BURST = 100, 200
"""Pings a second and at once that are answered; a page sends a few."""


class Allowance:
    """Counts what is said, and what of it was too much."""

    def __init__(
        self,
        rate: float,
        burst: float = BURST,
        debt: float = DEBT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._bucket = clock, Bucket(rate, burst, clock(), debt)
        self._lock = threading.Lock()
        self.refused = 0
        """Messages so far that were too many."""

    def take(self) -> bool:
        """One more; False when it is too many."""
        with self._lock:
            passes = self._bucket.take(1, self._clock())
            self.refused += not passes
            return passes

    @property
    def overdrawn(self) -> bool:
        """So much was said beyond the burst that there is an end to it."""
        return self._bucket.overdrawn

    def allow(self, rate: float) -> None:
        """From now on so many a second."""
        with self._lock:
            self._bucket.change(rate, self._clock())
