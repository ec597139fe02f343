"""The numbers of a process's SCTP associations. Pure.

usrsctp tells associations apart by a number of GStreamer's that never leaves the process. webrtcbin draws each by
chance, and of two viewers with one number the second gets the first one's association: here each has its own.
"""

from __future__ import annotations

from itertools import chain

NOBODYS = 65535
"""No viewer's."""


class Associations:
    """Numbers in use. One that was given back comes again as late as may be: something may still hold on to it."""

    def __init__(self) -> None:
        self._used: set[int] = set()
        self._last = 0

    def take(self) -> int:
        """A number that nobody has. Raises ValueError when there is none."""
        numbers = chain(range(self._last + 1, NOBODYS), range(1, self._last + 1))
        free = next((number for number in numbers if number not in self._used), None)
        if free is None:
            raise ValueError("every association is in use")
        self._last = free
        self._used.add(free)
        return free

    def give_back(self, number: int) -> None:
        """Its viewer is gone, and its pipeline down."""
        self._used.discard(number)
