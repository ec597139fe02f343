"""Frames for a viewer that is just connecting: made while ICE and DTLS go on, sent when it is there. Pure."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

MAX_FRAMES = 12
"""A screen that moves meanwhile is better shown by a new key frame than by all that it was."""


class Unit(Protocol):
    """What is needed of a frame."""

    @property
    def key(self) -> bool: ...


U = TypeVar("U", bound=Unit)


class EarlyFrames(Generic[U]):
    """Keeps a key frame and what follows it, for as long as that is little and young. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._until = float("-inf")
        self._frames: list[U] = []

    def expect(self, until: float) -> None:
        """Frames that come up to then are kept."""
        self._until = until

    def expected(self, now: float) -> bool:
        """Whether frames are of use now."""
        return now < self._until

    def keep(self, unit: U) -> bool:
        """Take a frame in; False when a key frame must come first."""
        if unit.key:
            self._frames = []
        if unit.key or self._frames:
            self._frames.append(unit)
        if len(self._frames) > MAX_FRAMES:
            self._frames, self._until = [], float("-inf")
        return bool(self._frames)

    def take(self, now: float) -> list[U]:
        """What the viewer, who is there now, is sent first: nothing where that is old."""
        frames = self._frames if self.expected(now) else []
        self._frames, self._until = [], float("-inf")
        return frames
