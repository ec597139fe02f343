"""Which frame rate and size a bitrate is worth. Pure, with hysteresis; times are monotonic seconds.

Fewer frames first. Under SCALES a frame of motion at full size is a blur at the coarsest quantizer there is, and a
smaller one shows more: of scrolled text at 300 kbit/s SSIM is 0.76 at 75 percent and 0.48 at whole size. A desktop
that moves too little to fill its bitrate has the whole size at any bitrate: text that stands still is to be read.
"""

from __future__ import annotations

from dataclasses import dataclass

UP_FACTOR = 1.25
"""A better step is taken only when the bitrate is this much above where it was left..."""
FASTER_AFTER_S, SLOWER_AFTER_S = 1.0, 0.5
"""...for so many seconds; and seconds under a frame rate's bitrate before it is left."""
LARGER_AFTER_S, SMALLER_AFTER_S = 3.0, 2.0
"""The same of sizes, whose bitrate must have been filled besides: each change costs a key frame."""


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
    """Down after `down_s` under a step, up after `up_s` well above the next one; several at once where that fits."""

    def __init__(self, steps: tuple[tuple[int, int], ...], down_s: float, up_s: float) -> None:
        self._steps, self._down_s, self._up_s = steps, down_s, up_s
        self._at = 0
        self._below = self._above = None  # type: float | None
        self._least = 0.0

    @property
    def value(self) -> int:
        return self._steps[self._at][1]

    def take(self, now: float, kbps: float) -> int:
        """What holds with this bitrate."""
        if kbps < self._steps[self._at][0]:
            self._above = None
            self._below = now if self._below is None else self._below
            if now - self._below >= self._down_s:
                self._below, self._at = None, self._fits(kbps)
        elif self._at and kbps >= self._steps[self._at - 1][0] * UP_FACTOR:
            self._below = None
            if self._above is None:
                self._above, self._least = now, kbps
            self._least = min(self._least, kbps)
            if now - self._above >= self._up_s:
                self._above, self._at = None, self._fits(self._least / UP_FACTOR)
        else:
            self._below = self._above = None
        return self.value

    def _fits(self, kbps: float) -> int:
        return next(index for index, (least, _) in enumerate(self._steps) if kbps >= least)


class Ladder:
    """Where the stream stands."""

    def __init__(self) -> None:
        self._rates = _Stairs(RATES, SLOWER_AFTER_S, FASTER_AFTER_S)
        self._scales = _Stairs(SCALES, SMALLER_AFTER_S, LARGER_AFTER_S)

    def take(self, now: float, kbps: int, *, filled: bool = True) -> Step:
        """What holds with this bitrate; `filled`: the desktop moves enough to use it."""
        fps = self._rates.take(now, kbps)
        # as if there were enough for any size: there is, for what a quiet desktop shows
        return Step(kbps, fps, self._scales.take(now, kbps if filled else float("inf")))
