"""Segments that come of one session: those that are wanted go to the shelf, and onto the timeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from transom.model.clock import Clock
from transom.model.errors import Full
from transom.model.recording import SegmentFile
from transom.recording.shelf import Shelf
from transom.recording.tape import Tape
from transom_wire.record import SegmentComes


class Intake:
    """`kept` is told each segment, while none can be removed."""

    def __init__(
        self, shelf: Shelf, most_bytes: int, clock: Clock, kept: Callable[[SegmentFile], Awaitable[None]]
    ) -> None:
        self._shelf, self._most, self._clock, self._kept = shelf, most_bytes, clock, kept
        self._refused: set[int] = set()
        self._removed = -1
        self._shelving = asyncio.Lock()
        self.took = False
        """Some segment was taken since this was set to false."""

    def refuse(self, run: int) -> None:
        """No segment of that run is wanted."""
        self._refused.add(run)

    def refuses(self, run: int) -> bool:
        """It is of no use to record on in that run."""
        return run <= self._removed or run in self._refused

    @asynccontextmanager
    async def removing(self, run: int) -> AsyncIterator[None]:
        """Nothing is put on the shelf within this, and nothing of the runs up to `run` from then on."""
        async with self._shelving:
            self._removed = run
            yield

    async def take(self, found: Tape, comes: SegmentComes) -> None:
        """Read it, and keep it where it is wanted. Raises Full where the disk does not take it."""
        at = self._clock() - comes.ago_ms
        try:
            async with self._shelving:
                file = await asyncio.to_thread(self._shelf.begin)
            with file:
                async for data in found.content(comes):
                    await asyncio.to_thread(file.write, data)
            async with self._shelving:
                await self._shelve(comes, at)
        except OSError as error:
            raise Full(f"the server's disk cannot take a segment: {error.strerror}") from error

    async def _shelve(self, comes: SegmentComes, at: int) -> None:
        if self.refuses(comes.run):
            await asyncio.to_thread(self._shelf.drop)
            return
        segment = await asyncio.to_thread(self._shelf.keep, comes, at, self._most)
        self.took = True
        if segment is not None:
            await asyncio.to_thread(self._shelf.note, *_lines(segment, comes))
            await self._kept(segment)


def _lines(segment: SegmentFile, comes: SegmentComes) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = [
        {
            "at_ms": segment.at,
            "kind": "segment",
            "number": segment.number,
            "duration_ms": segment.duration_ms,
            "bytes": segment.bytes,
        }
    ]
    for each in comes.inputs:
        counts = {"keys": each.keys, "buttons": each.buttons, "wheel": each.wheel}
        lines.append({"at_ms": segment.at + 1000 * each.second, "kind": "input", **counts})
    return lines
