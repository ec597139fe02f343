"""A picture of the screen on its way from who grabs it to who encodes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Pixels(Protocol):
    """A screen in memory: BGRx rows of `stride` bytes from `address` on; both sides even."""

    width: int
    height: int
    stride: int

    @property
    def address(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Frame:
    """What to make of the screen: `rows` changed (all of them when the picture is new), None for the same again."""

    rows: tuple[int, int] | None
    key: bool
    grabbed: float
