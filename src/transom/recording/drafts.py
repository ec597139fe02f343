"""Segments that are not finished, as far as the machine handed them over: a file each, which grows by whole fragments.

One goes when the finished segment comes, and becomes a segment itself where that never does. Its name says which it is
and what of it is whole, so that it outlives this process. Every call blocks on the disk, and raises OSError, Full.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from transom.model.recording import SegmentFile
from transom.recording.shelf import Shelf, surplus
from transom_wire.record import SEGMENT_BYTES, PartComes

NAME = re.compile(r"open-(\d{1,16})-(\d{1,10})-(\d{1,16})-(\d{1,9})-(\d{1,5})x(\d{1,5})-(\d{1,9})")
STEP = 2**20
"""Bytes by which one grows before others go for it."""


@dataclass(frozen=True, order=True, slots=True)
class Draft:
    """One of them; those of a machine are in order. `bytes` of it are whole."""

    run: int
    number: int
    at: int
    duration_ms: int
    width: int
    height: int
    bytes: int

    @property
    def which(self) -> tuple[int, int]:
        """Of all that a machine records."""
        return self.run, self.number

    @property
    def name(self) -> str:
        """Of its file."""
        size = f"{self.width}x{self.height}"
        return f"open-{self.run}-{self.number}-{self.at}-{self.duration_ms}-{size}-{self.bytes}"

    def segment(self, number: int) -> SegmentFile:
        """The segment that it is, by that number."""
        return SegmentFile(number, self.at, self.duration_ms, self.width, self.height, self.bytes)


def found(folder: Path) -> list[Draft]:
    """Those of a folder, in order."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(Draft(*map(int, match.groups())) for name in names if (match := NAME.fullmatch(name)))


def taken(folder: Path) -> int:
    """Bytes that they take."""
    return sum(each.bytes for each in found(folder))


class Drafts:
    """One session's."""

    def __init__(self, shelf: Shelf, most_bytes: int) -> None:
        self._shelf, self._most = shelf, most_bytes
        self._current: Draft | None = None
        """What the next part is added to."""
        self._begun: Draft | None = None
        """What a part is being added to: nothing continues it before that is whole."""

    def begin(self, comes: PartComes, at: int) -> BinaryIO | None:
        """Where a part is written; None: it continues nothing that is here, or more than a segment may have."""
        if comes.first:
            draft = Draft(comes.run, comes.number, at, 0, comes.width, comes.height, 0)
            self._path(draft).unlink(missing_ok=True)
        elif self._current is not None and self._current.which == (comes.run, comes.number):
            draft = self._current
        else:
            return None
        if draft.bytes + comes.size > SEGMENT_BYTES:
            return None
        self._shelf.reserve()
        flags = os.O_WRONLY | os.O_NOFOLLOW | (os.O_CREAT | os.O_EXCL if comes.first else 0)
        file = os.fdopen(os.open(self._path(draft), flags, 0o600), "wb")
        file.seek(draft.bytes)
        self._current, self._begun = None, draft
        return file

    def grow(self, comes: PartComes, now: int) -> SegmentFile | None:
        """The part that was begun is whole. What it is of so far, where the oldest may have gone for it."""
        before = self._begun
        assert before is not None
        draft = replace(before, duration_ms=comes.duration_ms, bytes=before.bytes + comes.size)
        self._path(before).replace(self._path(draft))
        self._current = draft
        if not before.bytes:
            self._delete(lambda each: each.which == draft.which and each != draft)
        if before.bytes and before.bytes // STEP == draft.bytes // STEP:
            return None
        grown = draft.segment(0)
        self._shelf.shed(surplus([*self._shelf.segments(), grown], self._most), "size", now)
        return grown

    def drop(self, run: int, number: int) -> None:
        """That segment has come, or is not wanted."""
        self._delete(lambda each: each.which == (run, number))

    def settle(
        self, goes: Callable[[Draft], bool], refused: Callable[[int], bool]
    ) -> list[tuple[Draft, SegmentFile]]:
        """Make segments of those that `goes` says will never be finished, but of `refused` runs."""
        kept = []
        known = found(self._shelf.folder)
        best = {each.which: each for each in sorted(known, key=lambda each: each.bytes)}
        for each in filter(goes, known):
            if each.bytes and each is best[each.which] and not refused(each.run):
                os.truncate(self._path(each), each.bytes)
                kept.append((each, self._shelf.adopt(self._path(each), each.segment(0), self._most)))
            else:
                self._path(each).unlink(missing_ok=True)
        return kept

    def _delete(self, which: Callable[[Draft], bool]) -> None:
        for each in filter(which, found(self._shelf.folder)):
            self._path(each).unlink(missing_ok=True)

    def _path(self, draft: Draft) -> Path:
        return self._shelf.folder / draft.name


def expire(folder: Path, before: int) -> None:
    """Delete those that ended before that moment."""
    for each in found(folder):
        if each.at + each.duration_ms < before:
            (folder / each.name).unlink(missing_ok=True)
