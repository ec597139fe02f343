"""Less is sent than a link carries, until a queue is gone. Pure; times are monotonic seconds."""

from __future__ import annotations

from dataclasses import dataclass

from transom_guest.stream.rate_ceiling import Ceiling

DRAIN = 0.35
"""Of what arrived, while a queue of DRAIN_FROM_S or more drains: the viewer lives on what stands in it..."""
DRAIN_FROM_S = 0.1
"""...or of any queue that a cut did not end. A drain that does not shorten it has shown that the way is longer."""
DRAIN_FPS = 20
"""Frames a second meanwhile: at the coarsest quantizer, and that is a drain's, sixty would be more than the bitrate."""
UNMOVED = 0.8
"""Of the queue: when as much is left, there was none, and the cut is taken back."""
PATIENCE = 1.5
"""How many times longer than it should a drain may take."""


@dataclass(frozen=True, slots=True)
class Drain:
    """How much is sent, since when, and what stood in the queue."""

    kbps: float
    since: float
    queue_s: float
    first: bool = True
    """Nothing was drained before it since the cut."""

    @property
    def patience_s(self) -> float:
        """Seconds, beyond those until a move is judged, until it should have ended the queue."""
        return self.queue_s / (1 - DRAIN) * PATIENCE


@dataclass(frozen=True, slots=True)
class Before:
    """What held before a cut, to be taken up again if there was no queue; and the longest that there seemed to be."""

    kbps: float
    ceiling: Ceiling
    queue_s: float
