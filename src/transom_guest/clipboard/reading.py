"""One conversation with the owner of the desktop's clipboard: what it has, then the best of it.

The owner may be hostile: it may never answer, answer with gigabytes, or drip. Each step has a deadline, the
whole has one, and no more is read than the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from transom_guest.clipboard.item import PNG, Item, ItemError, item, text_item
from transom_guest.x11.selection import ATOM, STRING, Property

STEP, WHOLE = 2.0, 15.0
"""Seconds for one answer of the owner, and for all of them."""
MAX_TARGETS = 512


class Source(Protocol):
    """What is needed of x11.selection.Selection."""

    def atom(self, name: str) -> int: ...
    def convert(self, target: int, property: int) -> None: ...
    def take(self, property: int, limit: int) -> Property | None: ...
    def delete(self, property: int) -> None: ...


class Targets:
    """The atoms of what can be read and given."""

    def __init__(self, atom: Callable[[str], int]) -> None:
        self.targets, self.incr = atom("TARGETS"), atom("INCR")
        self.utf8, self.png = atom("UTF8_STRING"), atom("image/png")
        self.plain_utf8, self.plain = atom("text/plain;charset=utf-8"), atom("text/plain")

    def best(self, offered: set[int]) -> int | None:
        """The target to read: text before picture, UTF-8 before Latin-1."""
        order = (self.utf8, self.plain_utf8, STRING, self.png)
        return next((target for target in order if target in offered), None)


class Reading:
    """Reads one item; `over` when there is nothing more to wait for, and then `item` or nothing."""

    def __init__(
        self, source: Source, targets: Targets, property: int, limit: int, clock: Callable[[], float]
    ) -> None:
        self._source, self._targets, self._property = source, targets, property
        self._limit, self._clock = limit, clock
        self._target, self._incr = targets.targets, False
        self._data = bytearray()
        self._end = clock() + WHOLE
        self._step = clock() + STEP
        self.over = False
        self.item: Item | None = None
        source.convert(self._target, property)

    def answered(self, property: int) -> None:
        """The owner answered a request."""
        if self.over or self._incr or property not in (0, self._property):
            return
        if not property:
            self._refused()
        elif self._target == self._targets.targets:
            self._choose()
        else:
            self._read()

    def written(self, property: int) -> None:
        """The owner has written a piece."""
        if self.over or not self._incr or property != self._property:
            return
        piece = self._source.take(property, self._limit - len(self._data) + 1)
        if piece is None:
            return
        if not piece.data:
            self._finish()
        else:
            self._add(piece)

    def late(self) -> bool:
        """Whether a deadline passed; then it is over."""
        if not self.over and self._clock() > min(self._step, self._end):
            self._stop()
            return True
        return False

    def _ask(self, target: int) -> None:
        self._target, self._step = target, self._clock() + STEP
        self._source.convert(target, self._property)

    def _refused(self) -> None:
        # an owner older than TARGETS may still have a text
        if self._target == self._targets.targets:
            self._ask(self._targets.utf8)
        else:
            self._stop()

    def _choose(self) -> None:
        found = self._source.take(self._property, 4 * MAX_TARGETS)
        if found is None or found.type not in (ATOM, self._targets.targets):
            self._stop()
            return
        names = found.data[: len(found.data) // 4 * 4]
        offered = {int.from_bytes(names[at : at + 4], "little") for at in range(0, len(names), 4)}
        best = self._targets.best(offered)
        if best is None:
            self._stop()
        else:
            self._ask(best)

    def _read(self) -> None:
        found = self._source.take(self._property, self._limit + 1)
        if found is None:
            self._stop()
        elif found.type == self._targets.incr:
            self._incr, self._step = True, self._clock() + STEP
        else:
            self._add(found)
            if not self.over:
                self._finish()

    def _add(self, piece: Property) -> None:
        self._data += piece.data
        self._step = self._clock() + STEP
        if piece.rest or len(self._data) > self._limit:
            self._stop()

    def _finish(self) -> None:
        data = bytes(self._data)
        self._stop()
        try:
            self.item = self._made(data)
        except ItemError:
            self.item = None

    def _made(self, data: bytes) -> Item | None:
        if self._target == self._targets.png:
            return item(PNG, data)
        if self._target == STRING:
            made = text_item(data.decode("latin-1").rstrip("\0"))
        else:
            made = text_item(data.decode("utf-8", "replace").rstrip("\0"))
        return made if len(made.data) <= self._limit else None

    def _stop(self) -> None:
        self.over = True
        self._data = bytearray()
        self._source.delete(self._property)
