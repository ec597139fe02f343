"""Who may ask, how much at once, and for whom. Pure but for a lock: the caller brings the time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from transom_helper.refusal import Refusal
from transom_wire.rate import Bucket

CONNECTIONS, CONNECTIONS_OF_ONE = 256, 200
"""At once: of all callers, of one user, whose keepers may all start at the same moment."""
DESCRIPTORS_OF_ONE = 2000
"""In all requests of one user that are under way: of every connection those of a jail."""
REQUESTS_PER_SECOND, REQUESTS_BURST = 50.0, 1000.0
"""Of one user. A machine takes four in its life."""


@dataclass(slots=True)
class Admission:
    """Counts the callers, and knows whom they may speak for."""

    allowed: frozenset[int]
    owners: range
    turned_away: Counter[str] = field(default_factory=Counter)
    """Why, and how often."""
    _open: Counter[int] = field(default_factory=Counter)
    _held: Counter[int] = field(default_factory=Counter)
    _buckets: dict[int, Bucket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, uid: int) -> bool:
        """Whether `uid` may have one more connection; it has, then, until `leave`."""
        with self._lock:
            if uid != 0 and uid not in self.allowed:
                self.turned_away["users"] += 1
                return False
            if self._open[uid] >= CONNECTIONS_OF_ONE or self._open.total() >= CONNECTIONS:
                self.turned_away["connections"] += 1
                return False
            self._open[uid] += 1
            return True

    def leave(self, uid: int) -> None:
        """One connection of `uid` is over."""
        with self._lock:
            self._open[uid] -= 1

    def request(self, uid: int, now: float) -> None:
        """Take one request in. Raises Refusal for one too many. Only allowed users get here: the table of
        buckets has as many entries as there are of them."""
        with self._lock:
            bucket = self._buckets.setdefault(uid, Bucket(REQUESTS_PER_SECOND, REQUESTS_BURST, now))
            passes = bucket.take(1, now)
        if not passes:
            self.count("requests")
            raise Refusal("too many requests", "ask again later")

    @contextmanager
    def descriptors(self, uid: int, count: int) -> Iterator[None]:
        """A request of `uid` that came with `count` descriptors is under way. Raises Refusal for too many."""
        with self._lock:
            fits = self._held[uid] + count <= DESCRIPTORS_OF_ONE
            self._held[uid] += count if fits else 0
        if not fits:
            self.count("descriptors")
            raise Refusal("too many descriptors at once", "ask again later")
        try:
            yield
        finally:
            with self._lock:
                self._held[uid] -= count

    def owner(self, uid: int, owner: int) -> None:
        """Whether `uid` may have something made for `owner`: for itself, or a user that machines run as. Root
        may for everybody: it could without us. Raises Refusal."""
        if owner == 0 or (uid not in (0, owner) and owner not in self.owners):
            self.count("owners")
            raise Refusal(
                f"user {owner} is not one that machines run as",
                f"start the helper with --owner-uids, now {self.owners.start}-{self.owners.stop - 1}",
            )

    def count(self, why: str) -> None:
        """Remember that somebody was turned away."""
        with self._lock:
            self.turned_away[why] += 1
