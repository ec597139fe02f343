"""Segments that come of one session: those that are wanted go to the shelf, and onto the timeline."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import BinaryIO

import structlog

from transom.model.clock import Clock
from transom.model.errors import Full, TransomError
from transom.model.recording import SegmentFile
from transom.recording.drafts import Draft, Drafts
from transom.recording.shelf import Shelf
from transom.recording.tape import Tape
from transom_wire.record import Inputs, PartComes, SegmentComes

log = structlog.get_logger(__name__)


class Intake:
    """`kept` is told each segment, while none can be removed, and `grew` each that is not finished, now and then."""

    def __init__(
        self,
        shelf: Shelf,
        most_bytes: int,
        clock: Clock,
        kept: Callable[[SegmentFile], Awaitable[None]],
        grew: Callable[[SegmentFile], Awaitable[None]],
    ) -> None:
        self._shelf, self._most, self._clock, self._kept, self._grew = shelf, most_bytes, clock, kept, grew
        self._drafts = Drafts(shelf, most_bytes)
        self._felt: PartComes | None = None
        """What the newest part says of what viewers did."""
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
        which = comes.run, comes.number
        if self.refuses(comes.run):
            await asyncio.to_thread(self._shelf.drop)
            await asyncio.to_thread(self._drafts.drop, *which)
            return
        await self._settle(lambda each: each.which < which)
        segment = await asyncio.to_thread(self._shelf.keep, comes, at, self._most)
        await asyncio.to_thread(self._drafts.drop, *which)
        self.took = True
        if segment is not None:
            await self._put(segment, comes.inputs)

    async def add(self, found: Tape, comes: PartComes) -> None:
        """Read more of a segment that is not finished, and keep it until that comes. Raises Full as well."""
        try:
            async with self._shelving:
                file = await self._begin(comes, self._clock() - comes.ago_ms)
            with file or contextlib.nullcontext():
                async for data in found.content(comes):
                    if file is not None:
                        await asyncio.to_thread(file.write, data)
            async with self._shelving:
                if file is not None and not self.refuses(comes.run):
                    await self._grow(comes)
        except OSError as error:
            raise Full(f"the server's disk cannot take a part: {error.strerror}") from error

    async def _begin(self, comes: PartComes, at: int) -> BinaryIO | None:
        if self.refuses(comes.run):
            return None
        if comes.first:
            which = comes.run, comes.number
            await self._settle(lambda each: each.which != which)
        return await asyncio.to_thread(self._drafts.begin, comes, at)

    async def _grow(self, comes: PartComes) -> None:
        self._felt = comes
        grown = await asyncio.to_thread(self._drafts.grow, comes, self._clock())
        if grown is not None:
            await self._grew(grown)

    async def settle(self) -> None:
        """No more comes: what is not finished is all there is of it. What the disk does not take stays as it is."""
        try:
            async with self._shelving:
                await self._settle(lambda _: True)
        except (OSError, TransomError) as error:
            log.warning("the end of a recording is not kept", reason=str(error))

    async def _settle(self, goes: Callable[[Draft], bool]) -> None:
        for draft, segment in await asyncio.to_thread(self._drafts.settle, goes, self.refuses):
            felt = self._felt
            inputs = felt.inputs if felt is not None and draft.which == (felt.run, felt.number) else ()
            await self._put(segment, inputs)

    async def _put(self, segment: SegmentFile, inputs: Sequence[Inputs]) -> None:
        await asyncio.to_thread(self._shelf.note, *_lines(segment, inputs))
        await self._kept(segment)


def _lines(segment: SegmentFile, inputs: Sequence[Inputs]) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = [
        {
            "at_ms": segment.at,
            "kind": "segment",
            "number": segment.number,
            "duration_ms": segment.duration_ms,
            "bytes": segment.bytes,
        }
    ]
    for each in inputs:
        counts = {"keys": each.keys, "buttons": each.buttons, "wheel": each.wheel}
        lines.append({"at_ms": segment.at + 1000 * each.second, "kind": "input", **counts})
    return lines
