"""Gives what a viewer sent to the desktop's programs: whole, or in pieces (INCR) where it is large."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from transom_guest.clipboard.item import PNG, Item
from transom_guest.clipboard.reading import Targets
from transom_guest.x11.selection import ATOM, STRING, Asked

PIECE = 64 * 1024
"""Bytes given at once: well below the 256 KiB that every X server takes in one request."""
MAX_PIECEMEAL = 8
"""Programs that may read in pieces at once; one more is refused."""
STEP = 5.0
"""Seconds a program may take to read a piece."""


class Giver(Protocol):
    """What is needed of x11.selection.Selection."""

    def give(self, window: int, property: int, type: int, form: int, data: bytes) -> None: ...
    def heed(self, window: int, on: bool) -> None: ...
    def answer(self, asked: Asked, property: int) -> None: ...


@dataclass(slots=True)
class _Piecemeal:
    type: int
    data: bytes
    at: int
    until: float


class Serving:
    """Answers requests for the item that a viewer sent last."""

    def __init__(self, giver: Giver, targets: Targets, clock: Callable[[], float]) -> None:
        self._giver, self._targets, self._clock = giver, targets, clock
        self._pieces: dict[tuple[int, int], _Piecemeal] = {}
        self.item: Item | None = None

    @property
    def busy(self) -> bool:
        """Whether a program is reading in pieces."""
        return bool(self._pieces)

    def asked(self, asked: Asked) -> None:
        """Somebody wants it."""
        self._giver.answer(asked, asked.property if self._given(asked) else 0)

    def taken(self, window: int, property: int) -> None:
        """A program has read its piece: the next one, and an empty one as the last."""
        piecemeal = self._pieces.get((window, property))
        if piecemeal is None:
            return
        piece = piecemeal.data[piecemeal.at : piecemeal.at + PIECE]
        self._giver.give(window, property, piecemeal.type, 8, piece)
        piecemeal.at += len(piece)
        piecemeal.until = self._clock() + STEP
        if not piece:
            self._end(window, property)

    def late(self) -> None:
        """Give up on programs that stopped reading."""
        now = self._clock()
        for key in [key for key, piecemeal in self._pieces.items() if now > piecemeal.until]:
            self._end(*key)

    def _end(self, window: int, property: int) -> None:
        del self._pieces[window, property]
        if all(other != window for other, _ in self._pieces):
            self._giver.heed(window, False)

    def _given(self, asked: Asked) -> bool:
        item, targets = self.item, self._targets
        if item is None:
            return False
        if asked.target == targets.targets:
            names = [targets.targets, *self._offered(item)]
            packed = b"".join(ctypes.c_long(name) for name in names)
            self._giver.give(asked.requestor, asked.property, ATOM, 32, packed)
            return True
        if asked.target not in self._offered(item):
            return False
        data = item.data
        if asked.target == STRING:
            data = data.decode().encode("latin-1", "replace")
        return self._give(asked, data)

    def _offered(self, item: Item) -> tuple[int, ...]:
        targets = self._targets
        if item.type == PNG:
            return (targets.png,)
        return (targets.utf8, targets.plain_utf8, targets.plain, STRING)

    def _give(self, asked: Asked, data: bytes) -> bool:
        if len(data) <= PIECE:
            self._giver.give(asked.requestor, asked.property, asked.target, 8, data)
            return True
        if len(self._pieces) >= MAX_PIECEMEAL:
            return False
        self._giver.heed(asked.requestor, True)
        until = self._clock() + STEP
        self._pieces[asked.requestor, asked.property] = _Piecemeal(asked.target, data, 0, until)
        size = bytes(ctypes.c_long(len(data)))
        self._giver.give(asked.requestor, asked.property, self._targets.incr, 32, size)
        return True
