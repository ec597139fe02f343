"""So many at once, of a session, of a user and of all, so that nobody has all the places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from transom.model.errors import TooMany
from transom.model.session import Session


@dataclass(frozen=True, slots=True)
class Most:
    """Places of one kind of request."""

    session: int
    user: int
    all: int


TRANSFERS, LISTINGS = Most(4, 8, 32), Most(2, 4, 16)
"""Each holds one of a machine's sixteen streams, which viewers have theirs of as well; some a file in the spool."""


class Places:
    """Who has which of them."""

    def __init__(self, most: Most, refusal: str) -> None:
        self._most, self._refusal = most, refusal
        self._taken: Counter[str] = Counter()

    @contextmanager
    def held(self, session: Session) -> Iterator[None]:
        """Raises TooMany."""
        most = self._most
        places = ((session.id, most.session), (session.user, most.user), ("all", most.all))
        if any(self._taken[holder] >= limit for holder, limit in places):
            raise TooMany(self._refusal, retry_after=1)
        self._taken.update(holder for holder, _ in places)
        try:
            yield
        finally:
            for holder, _ in places:
                self._taken[holder] -= 1
                if not self._taken[holder]:
                    del self._taken[holder]
