"""Which frame rate and size a bitrate is worth. Pure, with hysteresis; times are monotonic seconds.

Fewer frames first. Under SCALES a frame of motion at full size is a blur at the coarsest quantizer there is, and a
smaller one shows more: of scrolled text at 300 kbit/s SSIM is 0.76 at 75 percent and 0.48 at whole size. A desktop
that moves too little to fill its bitrate has the whole size at any bitrate: text that stands still is to be read.
"""

from __future__ import annotations

from dataclasses import dataclass

UP_FACTOR = 1.25
"""A better step is taken only when the bitrate is this much above where it was left..."""
UP_AFTER_S = 3.0
"""...for so many seconds: a change of size costs a key frame."""
DOWN_AFTER_S = 0.5
"""Seconds under a step's bitrate before it is left."""
SMALLER_AFTER_S = 2.0
"""Seconds that the bitrate was filled, and too small for the size, before the size is left."""


@dataclass(frozen=True, slots=True)
class Step:
    """From `kbps` on, pictures of `scale` percent of the desktop's sides, at most `fps` a second."""

    kbps: int
    fps: int
    scale: int


RATES = ((700, 60), (400, 30), (260, 20), (160, 15), (0, 10))
"""From this bitrate on, so many frames a second at most; the best first."""
SCALES = ((330, 100), (230, 75), (0, 50))
"""From this bitrate on, this percentage of the desktop's sides, while motion fills the bitrate."""


class _Stairs:
    """Down a step or more after `down_s` under it, up after UP_AFTER_S well above the next one."""

    def __init__(self, steps: tuple[tuple[int, int], ...], down_s: float) -> None:
        self._steps, self._down_s = steps, down_s
        self._at = 0
        self._below = self._above = None  # type: float | None

    @property
    def value(self) -> int:
        return self._steps[self._at][1]

    def take(self, now: float, kbps: float) -> int:
        """What holds with this bitrate."""
        if kbps < self._steps[self._at][0]:
            self._above = None
            self._below = now if self._below is None else self._below
            if now - self._below >= self._down_s:
                self._below = None
                self._at = next(index for index, (least, _) in enumerate(self._steps) if kbps >= least)
        elif self._at and kbps >= self._steps[self._at - 1][0] * UP_FACTOR:
            self._below = None
            self._above = now if self._above is None else self._above
            if now - self._above >= UP_AFTER_S:
                self._above, self._at = None, self._at - 1
        else:
            self._below = self._above = None
        return self.value


class Ladder:
    """Where the stream stands."""

    def __init__(self) -> None:
        self._rates, self._scales = _Stairs(RATES, DOWN_AFTER_S), _Stairs(SCALES, SMALLER_AFTER_S)

    def take(self, now: float, kbps: int, *, filled: bool = True) -> Step:
        """What holds with this bitrate; `filled`: the desktop moves enough to use it."""
        fps = self._rates.take(now, kbps)
        # as if there were enough for any size: there is, for what a quiet desktop shows
        return Step(kbps, fps, self._scales.take(now, kbps if filled else float("inf")))
