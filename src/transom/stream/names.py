"""Whose each viewer's name is: its first person's, there or not. Pure. Times are milliseconds of a steady clock.

Everybody in a session is shown the others' names. Were one free as soon as its viewer is silent, another person's
offer by it would replace the picture that goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transom.model.errors import Conflict
from transom.model.seat import Person

NAMES_OF_ONE = 256
"""Names of all who came by one link, or of one owner; each page that opens has a new one."""
KEPT_MS = 24 * 3_600_000
"""A name of which nothing was heard for so long is free."""


@dataclass(frozen=True, slots=True)
class _Owned:
    person: str
    by: str
    """Link or owner: whose names make room for each other, and never for another's."""
    heard_at: int


class Names:
    """Viewer's name -> person, the one heard of longest ago first."""

    def __init__(self) -> None:
        self._names: dict[str, _Owned] = {}

    def __bool__(self) -> bool:
        return bool(self._names)

    def whose(self, peer: str) -> str | None:
        """The id of the person whose name it is."""
        owned = self._names.get(peer)
        return owned.person if owned else None

    def check(self, peer: str, person: Person) -> None:
        """Raises Conflict (`peer_taken`) when it is another's."""
        if self.whose(peer) not in (None, person.id):
            raise Conflict("this peer's name is another viewer's", code="peer_taken")

    def take(self, peer: str, person: Person, now: int, there: Callable[[str], bool]) -> None:
        """It is this person's from now on. Where they have too many, one that is not `there` is forgotten."""
        by = person.link or person.id
        if peer not in self._names:
            own = [name for name, owned in self._names.items() if owned.by == by]
            if len(own) >= NAMES_OF_ONE:
                for name in [name for name in own if not there(name)][:1]:
                    del self._names[name]
        self._names.pop(peer, None)
        self._names[peer] = _Owned(person.id, by, now)

    def tick(self, now: int, there: Callable[[str], bool]) -> None:
        """Forget what was silent for long."""
        for name, owned in list(self._names.items()):
            if owned.heard_at + KEPT_MS <= now and not there(name):
                del self._names[name]
