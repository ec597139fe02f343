"""Which messages are committed, when they are not committed in the order they came in. Pure."""

from __future__ import annotations


class Committed:
    """Numbers come in rising; `done` returns what may be acknowledged now, or None."""

    def __init__(self) -> None:
        self._waiting: set[int] = set()
        self._newest = 0
        self._told = 0

    def came(self, number: int) -> bool:
        """True for a number that was not seen before."""
        if number <= self._newest:
            return False
        self._newest = number
        self._waiting.add(number)
        return True

    def done(self, number: int) -> int | None:
        """`number` is committed; the highest number below which nothing waits, if it rose."""
        self._waiting.discard(number)
        reached = min(self._waiting) - 1 if self._waiting else self._newest
        if reached <= self._told:
            return None
        self._told = reached
        return reached
