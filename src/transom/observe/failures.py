"""Whether machines fail more often than chance: a window over the newest outcomes. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

from transom.model.session import Session, SessionState

WINDOW = 20
"""Newest outcomes that are looked at."""
WINDOW_MS = 3_600_000
"""Older outcomes do not count."""
LEAST = 5
"""Fewer outcomes than this say nothing."""
BAD, GOOD = 0.8, 0.9
"""Below this share of successes it is said; above the other it may be said again."""
REMEMBERED = 4096


class Failures:
    """Watches sessions' rows. `said` is called with a sentence, once for each bad spell."""

    def __init__(self, said: Callable[[str], None]) -> None:
        self._said = said
        self._outcomes: deque[tuple[int, bool]] = deque(maxlen=WINDOW)
        self._seen: OrderedDict[str, SessionState] = OrderedDict()
        self._bad = False

    def session(self, session: Session) -> None:
        """A row is new or changed: a desktop that is ready is a success, a failed session is none."""
        before = self._seen.get(session.id)
        if session.state is before or session.state not in (SessionState.READY, SessionState.FAILED):
            return
        self._seen[session.id] = session.state
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._outcomes.append((session.state_since, session.state is SessionState.READY))
        self._judge(session.state_since)

    def _judge(self, now: int) -> None:
        counted = [good for at, good in self._outcomes if now - at <= WINDOW_MS]
        if len(counted) < LEAST:
            return
        share = sum(counted) / len(counted)
        if share < BAD and not self._bad:
            self._bad = True
            failed = len(counted) - sum(counted)
            self._said(f"{failed} of the last {len(counted)} machines failed")
        elif share >= GOOD:
            self._bad = False
