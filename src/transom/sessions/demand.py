"""How often sessions are asked for, and with what desktop: what the pool follows. Pure."""

from __future__ import annotations

from collections import deque

from transom.model.session import Session, SessionState

WINDOW_MS = 10 * 60_000
"""Arrivals are remembered this long: a lull of a few minutes does not empty the pool."""
PEAK_MS = 60_000
"""The rate is that of the busiest stretch of this length within the window."""
REMEMBERED = 4096
PARKED_AREA = 1920 * 1200
"""Pixels of the largest desktop that waits for nobody yet: each has its screen in memory, more than once."""
MISS_WEIGHT = 3
"""A session that found the pool empty counts as so many: it is better to be too many for a while."""


class Demand:
    """Looks into the pool, as they came."""

    def __init__(self) -> None:
        self._looks: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)
        self.hits = 0
        self.misses = 0
        self.looked_at = 0
        self._size: tuple[int, int] | None = None

    def looked(self, now: int, *, hit: bool, size: tuple[int, int]) -> None:
        """A session that wants a desktop of `size` pixels looked for a warm machine at `now`, Unix milliseconds."""
        self._size = size
        self.hits += hit
        self.misses += not hit
        self.looked_at = now
        self._looks.append((now, 1 if hit else MISS_WEIGHT))

    def size(self, configured: tuple[int, int]) -> tuple[int, int]:
        """The next warm desktop's: whoever asked last asks again more often than anybody else does, and a claim that
        changes nothing is the quickest. The configured one until somebody has asked, and in place of a huge one."""
        width, height = self._size or configured
        return (width, height) if width * height <= PARKED_AREA else configured

    def per_minute(self, now: int) -> float:
        """Arrivals a minute, at the busiest of the last minutes."""
        while self._looks and self._looks[0][0] < now - WINDOW_MS:
            self._looks.popleft()
        best = running = 0
        stretch: deque[tuple[int, int]] = deque()
        for at, weight in self._looks:
            stretch.append((at, weight))
            running += weight
            while stretch[0][0] <= at - PEAK_MS:
                running -= stretch.popleft()[1]
            best = max(best, running)
        return best * 60_000 / PEAK_MS


class Waiting:
    """Sessions that have no ready machine yet, as their rows say."""

    def __init__(self) -> None:
        self._sessions: set[str] = set()

    def changed(self, session: Session) -> None:
        """A row changed."""
        waits = session.state in (SessionState.REQUESTED, SessionState.CREATING, SessionState.BOOTING)
        (self._sessions.add if waits and session.wanted_end is None else self._sessions.discard)(session.id)

    def __call__(self) -> int:
        """How many."""
        return len(self._sessions)
