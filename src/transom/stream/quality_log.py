"""Carries what pictures were like to the store, in batches: no heartbeat waits, and a slow database loses rows."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from transom.model.errors import TransomError
from transom.model.quality import QualityRow
from transom.model.stores import QualityStore

FLUSH_S = 5.0
"""Seconds between two writes."""
WRITE_S = 15.0
"""Seconds one write may take."""
WAITING_LIMIT = 4000
"""Rows that wait; what comes above is lost, and counted."""
BATCH = 1000
"""Rows of one transaction."""
ROWS, ROWS_S = 30, 60.0
"""Rows that one viewer may leave in so many seconds; a page leaves six, and one more for each change of its rung."""
ALL_ROWS = 120
"""The same for all viewers of a session: a page may give itself any name."""


class QualityLog:
    """Rows on their way. `count` is told how many were kept, lost or refused; `wait` says how long a key must."""

    def __init__(
        self,
        store: QualityStore,
        count: Callable[[str, int], None],
        wait: Callable[[str], int],
        wait_all: Callable[[str], int],
    ) -> None:
        self._store, self._count = store, count
        self._wait, self._wait_all = wait, wait_all
        self._waiting: deque[QualityRow] = deque()
        self._writing = asyncio.Lock()

    def take(self, row: QualityRow) -> bool:
        """Keep for the next write; False when this viewer says too much, or too much waits."""
        if self._wait(f"{row.session} {row.viewer}") or self._wait_all(row.session):
            self._count("refused", 1)
            return False
        if len(self._waiting) >= WAITING_LIMIT:
            self._count("lost", 1)
            return False
        self._waiting.append(row)
        return True

    async def run(self) -> None:
        """Write again and again."""
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits. What cannot be written is lost, and counted; nothing is raised."""
        async with self._writing:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                await self._write(batch)

    async def _write(self, batch: Sequence[QualityRow]) -> None:
        try:
            async with asyncio.timeout(WRITE_S):
                await self._store.add(batch)
        except (TransomError, TimeoutError):
            self._count("lost", len(batch))
        else:
            self._count("kept", len(batch))

    async def of(self, session: str, *, since: int, limit: int) -> Sequence[QualityRow]:
        """A session's rows, those that wait among them, oldest first. Raises Unavailable."""
        waiting = [row for row in self._waiting if row.session == session and row.at >= since]
        kept = await self._store.of(session, since=since, limit=limit)
        whole = {(row.viewer, row.at): row for row in (*waiting, *kept)}
        return sorted(whole.values(), key=lambda row: (row.at, row.viewer))[-limit:] if limit else []
