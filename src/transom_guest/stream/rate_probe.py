"""When a link is asked for more, by packets that carry nothing behind a frame. Pure; times are monotonic seconds.

As bandwidth probing of Google's congestion control (draft-ietf-rmcat-gcc-02; libwebrtc's ProbeController): a few
packets close together, at more than the target. The spacing in which they arrive is the link's own.
"""

from __future__ import annotations

import math
from collections import deque

from transom_guest.stream.rate_estimate import PADDING_BYTES

TIMES, LASTS_S = 2.0, 0.02
"""A probe is of this many times the target, for so many seconds..."""
LEAST, MOST = 7, 32
"""...in no fewer packets, and no more."""
EVERY_S = 0.1
"""Seconds, beyond the round trip, between two while each of them finds room..."""
LOST_S = 1.0
"""...or after one of which nothing was heard..."""
FULL_S = 3.0
"""...or that found none, or a queue..."""
LIMITED_S = 2.0
"""...or while the desktop has too little to show."""
ROOM = 1.3
"""Times the target, that a probe has to come through at to have found room."""
AGREE = 2
"""Probes of which the slower counts against what is known already."""


class Probe:
    """Of one link."""

    def __init__(self) -> None:
        self._owed, self._next = False, -math.inf
        self._found: deque[float] = deque(maxlen=AGREE)

    def packets(self, now: float, kbps: float, *, limited: bool) -> int:
        """How many to send behind the next frame, at this target; 0 when it is not the time."""
        self._owed = now >= self._next + (LIMITED_S - EVERY_S) * limited
        wanted = round(TIMES * kbps * 125 * LASTS_S / PADDING_BYTES)
        return min(max(wanted, LEAST), MOST) if self._owed else 0

    def rest(self) -> int:
        """Nothing is asked for now."""
        self._owed = False
        return 0

    def left(self, now: float, rtt_s: float) -> None:
        """A frame was sent, and what was wanted behind it."""
        if self._owed:
            self._owed, self._next = False, now + LOST_S + rtt_s

    def heard(self, now: float, rate_kbps: float, target_kbps: float, rtt_s: float) -> None:
        """One came through at this rate."""
        self._found.append(rate_kbps)
        room = rate_kbps >= ROOM * target_kbps
        self._next = now + (EVERY_S + rtt_s if room else FULL_S)

    def over_used(self, now: float) -> None:
        """A queue stood: what was found holds no more."""
        self._found.clear()
        self._next = max(self._next, now + FULL_S)

    def mistaken(self, now: float) -> None:
        """There was no queue: what the link carries is asked for soon."""
        self._next = min(self._next, now)

    @property
    def most_kbps(self) -> float:
        """What the link carries at most, as far as several of these found it; else infinite."""
        return max(self._found) if len(self._found) == AGREE else math.inf

    @property
    def agreed_kbps(self) -> float:
        """What several since the last queue came through at; 0 before."""
        return min(self._found) if len(self._found) == AGREE else 0.0
