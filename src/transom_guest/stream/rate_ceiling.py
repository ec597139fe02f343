"""Where a link was over-used last, and how far one step up goes with that known. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

RAISE = 1.25
"""One step up, where nothing is known of a ceiling."""
RAISE_UNDER = 1.08
"""One step up a little under where the link was over-used last..."""
RAISE_NEAR = 1.03
"""...and about there."""
UNDER, NEAR, BEYOND = 0.8, 0.95, 1.2
"""Where these begin and end, in shares of it."""
CEILING_S = 20.0
"""Seconds after which the ceiling is forgotten."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A bitrate, and the monotonic second at which it was too much."""

    kbps: float = math.inf
    at: float = -math.inf

    @property
    def known(self) -> bool:
        return math.isfinite(self.kbps)

    def near(self, kbps: float) -> bool:
        """Whether a step up from this bitrate has to be a careful one."""
        return UNDER * self.kbps <= kbps <= BEYOND * self.kbps

    def step(self, kbps: float) -> float:
        """One step up from this bitrate, as a factor."""
        if not self.near(kbps):
            return RAISE
        return RAISE_NEAR if kbps >= NEAR * self.kbps else RAISE_UNDER

    def after(self, now: float) -> Ceiling:
        """What is left of it at this time."""
        return Ceiling() if now - self.at > CEILING_S else self
