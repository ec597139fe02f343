"""When to grab the screen. Pure: what happened in, grab or wait out. Times are monotonic seconds.

A change is grabbed at once, no faster than the cap, and never while a frame is in the encoder: late
frames are dropped before they exist. After the last change the same picture is sent again until it is
sharp, then now and then, until all who watch have drawn it: what is lost at the end shows by what follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FPS = 60
"""Frames a second that are never exceeded for long."""
SPARE = 1.0
"""Frames that a still screen saves up: programs draw in steps, and the second follows the first at once."""
REFINE_AFTER = 0.06
"""Seconds of stillness after a change before the picture is sent again to sharpen it."""
REFINE_EVERY = 0.05
"""Seconds between the refinements that follow: four are done within the 300 ms in which a page is to be sharp..."""
QUICK = 4
LINGER_EVERY = 0.25
"""...and between those after, for a link that is slower, until one of them has nothing left to add."""
REFINEMENTS = 30
"""At most."""
REPEAT_EVERY = 2.0
"""Seconds between repeats of a still picture that not everybody is known to have; Chromium loses patience at three."""
KEY_EVERY = 0.2
"""Seconds between key frames: requests of many viewers are answered by one."""
STUCK = 2.0
"""Seconds after which a frame that never left the encoder is given up."""


@dataclass(frozen=True, slots=True)
class Grab:
    """Grab now; `key`: the frame must be a key frame."""

    key: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until`, unless something happens."""

    until: float


class Pacer:
    """Decides for one desktop, however many viewers it has."""

    def __init__(self, fps: int = FPS) -> None:
        self._interval = 1 / fps
        self._spare = SPARE
        self._dirty = True
        self._key = True
        self._busy = False
        self._grabbed = self._of_use = float("-inf")
        self._key_sent = self._held = float("-inf")
        self._changed = float("-inf")
        self._refined = 0
        self._settled = False
        self._sharp = self._seen = False

    def set_fps(self, fps: int) -> None:
        """Another cap of the frame rate."""
        self._interval = 1 / fps

    def damaged(self) -> None:
        """The screen changed."""
        self._dirty = True

    def key_wanted(self, not_before: float = float("-inf")) -> None:
        """A viewer joined, or lost its picture and can show nothing that is grabbed before a time."""
        self._key, self._held = True, max(self._held, not_before)

    def frame_out(self, of_use: float = float("-inf"), *, settled: bool = False) -> None:
        """The encoder has finished its frame; one that is grabbed before `of_use` would only wait to be sent.

        `settled`: it had nothing to add to the one before.
        """
        # after a frame that was too large for the link the next one is small, however soft it is
        self._sharp = self._sharp or (settled and self._settled)
        self._busy, self._of_use, self._settled = False, of_use, settled

    @property
    def at_rest(self) -> bool:
        """The newest picture is out, and as sharp as it gets."""
        return self._done and not (self._dirty or self._key or self._busy)

    def seen(self) -> None:
        """All who watch have drawn the newest picture."""
        self._seen = True

    def decide(self, now: float) -> Grab | Wait:
        """What to do at `now`; after Grab, call `grabbed` or `failed`."""
        if self._busy and now < self._grabbed + STUCK:
            return Wait(self._grabbed + STUCK)
        due = max(self._due(), self._free_at())
        if now < due:
            return Wait(due)
        return Grab(key=self._key and now >= self._key_sent + KEY_EVERY)

    def grabbed(self, now: float, *, key: bool) -> None:
        """A frame went into the encoder at `now`."""
        self._spare = min(self._spare + (now - self._grabbed) / self._interval, SPARE + 1) - 1
        if self._dirty or key:
            self._dirty, self._changed, self._refined = False, now, 0
            self._settled = self._sharp = False
        else:
            self._refined += 1
        if key:
            self._key, self._key_sent = False, now
        self._busy, self._grabbed, self._seen = True, now, False

    def failed(self, now: float) -> None:
        """The screen could not be read at `now`; try again at the next interval."""
        self._grabbed, self._dirty, self._spare = now, True, 0.0

    def _free_at(self) -> float:
        """When a whole frame has been saved up, the last one has left, and there is room for a key frame."""
        saved = self._grabbed + max(1 - self._spare, 0.0) * self._interval
        return max(saved, self._of_use, self._held)

    def _due(self) -> float:
        wanted = [self._still_due()]
        if self._dirty:
            wanted.append(self._grabbed)
        if self._key:
            wanted.append(self._key_sent + KEY_EVERY)
        return min(wanted)

    def _still_due(self) -> float:
        if self._refined == 0:
            return self._changed + REFINE_AFTER
        if self._done:
            return float("inf") if self._seen else self._grabbed + REPEAT_EVERY
        quick = self._refined < QUICK and not self._settled
        return self._grabbed + (REFINE_EVERY if quick else LINGER_EVERY)

    @property
    def _done(self) -> bool:
        """Nothing is left to sharpen."""
        return self._refined > 0 and (self._sharp or self._refined >= REFINEMENTS)


class Rows:
    """The rows of the screen that changed since the last grab, as one span."""

    def __init__(self, height: int) -> None:
        self._height = height
        self._top, self._bottom = 0, height

    def add(self, spans: Iterable[tuple[int, int]]) -> bool:
        """Take in damaged spans (first row, row after the last); True when any of them is on the screen."""
        hit = False
        for top, bottom in spans:
            top, bottom = max(top, 0), min(bottom, self._height)
            if top < bottom:
                self._top, self._bottom = min(self._top, top), max(self._bottom, bottom)
                hit = True
        return hit

    def take(self) -> tuple[int, int] | None:
        """The span to grab, None when nothing changed; it is forgotten."""
        span = (self._top, self._bottom) if self._top < self._bottom else None
        self._top, self._bottom = self._height, 0
        return span
