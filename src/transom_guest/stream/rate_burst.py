"""What a link has proved to carry for a moment, beyond what the stream is held to. Pure.

Of packets sent close together the spacing in which they arrive is the link's own. It tells how fast a large frame may
leave without standing in a queue; it is no promise for longer, as others may use the link too.
"""

from __future__ import annotations

import math
from collections import deque

SAMPLES = 3
"""Trains of which the slowest counts: queues behind the slow one, and radio, bring packets closer together."""
SHARE = 0.85
"""Of what they came through at."""
SPREAD = 0.8
"""Of what a train was sent at: it came through slower than this, so it shows what the link carries, and else that
the link carries no less."""
KEPT_S = 60.0
"""Seconds after which a proof is none any more."""
MOST_KBPS = 100_000
"""Viewers tell arrivals in quarters of a millisecond; beyond this nothing is to be gained."""


class Burst:
    """Of one link. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._trains: deque[float] = deque(maxlen=SAMPLES)
        self._at = -math.inf

    def train(self, now: float, arrived_kbps: float, sent_kbps: float) -> None:
        """A train came through."""
        rate = min(arrived_kbps, sent_kbps, MOST_KBPS)
        if now - self._at > KEPT_S:
            self._trains.clear()
        if arrived_kbps >= SPREAD * sent_kbps and self._trains and rate <= min(self._trains):
            return  # no less than this; more is known already
        self._trains.append(rate)
        self._at = now

    def over_used(self) -> None:
        """A queue stood: what seemed proved was not, or holds no more."""
        self._trains.clear()

    def kbps(self, now: float) -> float:
        """What was proved; 0 when nothing was."""
        return min(self._trains) * SHARE if self._trains and now - self._at <= KEPT_S else 0.0
