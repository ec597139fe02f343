"""What all recordings take together, and which segments go when that is too much: the oldest, whosever they are."""

from __future__ import annotations

import asyncio
import heapq
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from transom.model.clock import Clock
from transom.model.ids import is_id
from transom.model.recording import SegmentFile
from transom.recording.drafts import taken
from transom.recording.shelf import Shelf, weight

ROOM = 0.05
"""Of the limit is free after it was reached: all folders are listed for that, which should not be at each segment."""


class Stock:
    """Every session's folder under one. Raises OSError where it cannot delete."""

    def __init__(self, folder: Path, most_bytes: int, clock: Clock) -> None:
        self._folder, self._most, self._clock = folder, most_bytes, clock
        self._weights: dict[str, int] = {}
        self._fitting = asyncio.Lock()

    def shelf(self, session: str) -> Shelf:
        """Where its recording is, or would be."""
        assert is_id(session, "ses")
        return Shelf(self._folder / session)

    def sessions(self) -> list[str]:
        """Those that have a folder. Blocks on the disk."""
        try:
            return [name for name in os.listdir(self._folder) if is_id(name, "ses")]
        except OSError:
            return []

    async def count(self) -> None:
        """Look at all there is."""
        kept = await asyncio.to_thread(self._kept)
        growing = await asyncio.to_thread(self._growing, kept)
        self._weights = {session: _whole(segments) + growing[session] for session, segments in kept.items()}

    def weigh(self, session: str, segments: Sequence[SegmentFile], growing: int = 0) -> None:
        """A session has these now, and so many bytes of what is not finished."""
        self._weights[session] = _whole(segments) + growing
        if not self._weights[session]:
            del self._weights[session]

    async def fit(self) -> list[str]:
        """Let the oldest go where all together are too much; the sessions that lost some."""
        async with self._fitting:
            if sum(self._weights.values()) <= self._most:
                return []
            return await asyncio.to_thread(self._fit)

    def _kept(self) -> dict[str, list[SegmentFile]]:
        return {session: self.shelf(session).segments() for session in self.sessions()}

    def _growing(self, sessions: Iterable[str]) -> dict[str, int]:
        return {session: taken(self.shelf(session).folder) for session in sessions}

    def _fit(self) -> list[str]:
        kept = self._kept()
        growing = self._growing(kept)
        self._weights = {}
        for session, segments in kept.items():
            self.weigh(session, segments, growing[session])
        if sum(self._weights.values()) <= self._most:
            return []
        goes = eldest(kept, round(self._most * (1 - ROOM)) - sum(growing.values()))
        for session, segments in goes.items():
            self.shelf(session).shed(segments, "total", self._clock())
            self.weigh(session, kept[session][len(segments) :], growing[session])
        return list(goes)


def eldest(kept: Mapping[str, Sequence[SegmentFile]], most_bytes: int) -> dict[str, list[SegmentFile]]:
    """Those of each session, oldest first, that go until the rest is `most_bytes` at most.

    A session's go in their own order, whatever times a machine that was off by some gave them."""
    over = sum(map(_whole, kept.values())) - most_bytes
    first = [(segments[0].at, session) for session, segments in kept.items() if segments]
    heapq.heapify(first)
    goes: dict[str, list[SegmentFile]] = {}
    while over > 0 and first:
        _, session = heapq.heappop(first)
        gone = goes.setdefault(session, [])
        gone.append(kept[session][len(gone)])
        over -= weight(gone[-1])
        if len(gone) < len(kept[session]):
            heapq.heappush(first, (kept[session][len(gone)].at, session))
    return goes


def _whole(segments: Sequence[SegmentFile]) -> int:
    return sum(map(weight, segments))
