"""How far a raise may go by the spacing of a link's packets, and when that promised too much. Pure.

Packets of a frame leave at once, and arrive as far apart as the slowest link on the way makes them: that is what it
carries, told before a raise has filled it (packet pairs; Keshav, SIGCOMM 1991). It is an upper bound: others may use
the link too, and a radio or a busy receiver may bring packets closer together.
"""

from __future__ import annotations

import math

from transom_guest.stream.rate_ceiling import BEYOND, CEILING_S, RAISE_NEAR, Ceiling

SHARE = 0.85
"""Of what it promises: so much is counted on..."""
OVER = 1.1
"""...and no raise goes further than this, but for a step of RAISE_NEAR: encoders send somewhat less than they may."""
FAST = 1.5
"""One step up while more than that is promised."""
BROKEN_S = 2.0
"""Seconds after a promise was followed against what was known, in which a queue says that it was none: it counts no
more for CEILING_S."""


class Promise:
    """Of one link. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._followed = self._broken = -math.inf
        self._kbps = 0.0
        self._most = 0.0
        """The same, also while it counts no more: that it was too much makes it no less of an upper bound."""

    def take(self, now: float, pair_kbps: float) -> None:
        """What the newest packets promise; 0 for nothing."""
        self._kbps = 0.0 if now - self._broken < CEILING_S else pair_kbps
        self._most = pair_kbps

    def ceiling(self, now: float, known: Ceiling) -> Ceiling:
        """A ceiling, or what is promised, where that is well beyond it: the link has come back."""
        if self._kbps * SHARE <= BEYOND * known.kbps:
            return known
        self._followed = now
        return Ceiling(self._kbps * SHARE, now)

    def step(self, kbps: float, step: float, *, near: bool) -> float:
        """One step up from this bitrate, as a factor, where it would have been `step` without a promise."""
        if not self._most:
            return step
        if self._kbps * SHARE > FAST * kbps and not near:
            step = FAST
        return min(step, max(self._most * OVER / kbps, RAISE_NEAR))

    def room(self, now: float, sent_kbps: float) -> bool:
        """Whether less is sent than the link carries: then a queue that stands there is none of ours."""
        if self._kbps * SHARE <= sent_kbps:
            return False
        self._followed = now
        return True

    def over_used(self, now: float) -> None:
        """A queue stood."""
        if now - self._followed < BROKEN_S:
            self._broken = now
