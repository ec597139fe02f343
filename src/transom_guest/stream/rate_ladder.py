"""Which frame rate and size a bitrate is worth. Pure, with hysteresis."""

from __future__ import annotations

from dataclasses import dataclass

UP_FACTOR = 1.25
"""A better step is taken only when the bitrate is this much above where it was left..."""
UP_AFTER_S = 3.0
"""...for so many seconds: a change of size costs a key frame."""
DOWN_AFTER_S = 0.5
"""Seconds under a step's bitrate before it is left."""


@dataclass(frozen=True, slots=True)
class Step:
    """From `kbps` on, pictures of `scale` percent of the desktop's sides, at most `fps` a second."""

    kbps: int
    fps: int
    scale: int


STEPS = (Step(700, 60, 100), Step(400, 30, 100), Step(0, 20, 100))
"""The best first. A slow link has fewer frames, and sharp ones; the size stays whole, as each change is a key frame."""


class Ladder:
    """Where the stream stands. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._at = 0
        self._below = self._above = None  # type: float | None

    @property
    def step(self) -> Step:
        """What holds now."""
        return STEPS[self._at]

    def take(self, now: float, kbps: int) -> Step:
        """What holds with this bitrate."""
        if kbps < self.step.kbps:
            self._above = None
            self._below = now if self._below is None else self._below
            if now - self._below >= DOWN_AFTER_S:
                self._below, self._at = None, _fits(kbps)
        elif self._at and kbps >= STEPS[self._at - 1].kbps * UP_FACTOR:
            self._below = None
            self._above = now if self._above is None else self._above
            if now - self._above >= UP_AFTER_S:
                self._above, self._at = None, self._at - 1
        else:
            self._below = self._above = None
        return self.step


def _fits(kbps: int) -> int:
    return next(index for index, step in enumerate(STEPS) if kbps >= step.kbps)
