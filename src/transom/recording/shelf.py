"""Where a session's recording is: a folder of segments, whose names say all there is to know, and a timeline.

Every call blocks on the disk. Nobody else reads it: folder 0700, files 0600.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from transom.model.errors import Full
from transom.model.recording import SegmentFile
from transom_wire.record import SegmentComes

NAME = re.compile(r"(\d{6})-(\d{1,16})-(\d{1,9})-(\d{1,5})x(\d{1,5})\.mp4")
"""number-at-duration-size: a listing is the index, and no crash can make the two differ."""
COMING = "coming"
TIMELINE = "timeline.jsonl"
SHORTENED = "timeline.part"
LINE_BYTES = 4096
"""Of a line, more than any has."""
TIMELINE_BYTES = 8 * 2**20
"""A timeline ends here; some days of a line a second. Its last line says so."""
SAME_MS = 2000
"""A segment of the same length and size that began so near another is that one, sent again."""
FILE_COST = 64 * 2**10
"""Bytes that a segment counts for at least: a file of one byte costs a block, a name and a look at it each time."""
MOST_FILES = 10_000
"""Segments of one session; two days of 20 s each. Listing them takes tens of milliseconds."""
LAST_NUMBER = 999_999
"""What a name's digits hold."""
REMOVALS = 5
"""Times that a folder is tried to be removed into which somebody writes."""
RESERVE = 256 * 2**20
"""Bytes of the disk that stay free: the database is there."""
ROOM = 64 * 2**20
"""Bytes more that are free before a recording goes on which a full disk ended: some segments, and not one."""


class Shelf:
    """One session's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def segments(self) -> list[SegmentFile]:
        """What is kept, in order."""
        try:
            names = sorted(os.listdir(self.folder))
        except OSError:
            return []
        found = []
        for name in names:
            match = NAME.fullmatch(name)
            if match:
                with contextlib.suppress(OSError):
                    number, at, span, width, height = map(int, match.groups())
                    size = (self.folder / name).stat().st_size
                    found.append(SegmentFile(number, at, span, width, height, size))
        return found

    def path(self, number: int) -> Path | None:
        """The file of a segment."""
        return next((self.file(each) for each in self.segments() if each.number == number), None)

    def file(self, segment: SegmentFile) -> Path:
        """Of one that was listed; it may have gone since."""
        return self.folder / _name(segment)

    def room(self) -> bool:
        """Whether some more segments can be kept."""
        try:
            return self._free() >= RESERVE + ROOM and self._next(self.segments()) <= LAST_NUMBER
        except OSError:
            return False

    def _free(self) -> int:
        """Bytes of the disk. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        space = os.statvfs(self.folder)
        return space.f_bavail * space.f_frsize

    def _next(self, known: Sequence[SegmentFile]) -> int:
        return 1 + (known[-1].number if known else self._last_number())

    def reserve(self) -> None:
        """Raises Full where more would take what the disk is to have free, and OSError."""
        if self._free() < RESERVE:
            raise Full("the server's disk is full")

    def begin(self) -> BinaryIO:
        """A file for a segment that comes. Raises Full, OSError."""
        self.reserve()
        coming = self.folder / COMING
        coming.unlink(missing_ok=True)
        return os.fdopen(os.open(coming, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")

    def keep(self, comes: SegmentComes, at: int, most_bytes: int) -> SegmentFile | None:
        """The file is whole: it is a segment; the oldest go for it. None for one that was there.

        Raises Full, OSError.
        """
        for each in self.segments():
            same = (each.duration_ms, each.bytes) == (comes.duration_ms, comes.size)
            if same and abs(each.at - at) < SAME_MS:
                self.drop()
                return None
        came = SegmentFile(0, at, comes.duration_ms, comes.width, comes.height, comes.size)
        return self.adopt(self.folder / COMING, came, most_bytes)

    def adopt(self, file: Path, came: SegmentFile, most_bytes: int) -> SegmentFile:
        """This file of the folder is the next segment; the oldest go for it. Raises Full, OSError."""
        known = self.segments()
        segment = replace(came, number=self._next(known))
        if segment.number > LAST_NUMBER:
            file.unlink(missing_ok=True)
            raise Full("the recording has as many segments as can be numbered")
        file.replace(self.folder / _name(segment))
        self.shed(surplus([*known, segment], most_bytes), "size", segment.at + segment.duration_ms)
        return segment

    def shed(self, goes: Sequence[SegmentFile], why: str, now: int) -> None:
        """Delete these, the oldest, and say so in the timeline. Raises OSError."""
        for each in goes:
            (self.folder / _name(each)).unlink(missing_ok=True)
        if goes:
            numbers = {"first": goes[0].number, "last": goes[-1].number}
            self.note({"at_ms": now, "kind": "dropped", "why": why, **numbers})

    def expire(self, before: int, now: int) -> bool:
        """Delete what ended before that moment, and what the timeline has of that time; whether there was any.

        Raises OSError."""
        kept = self.segments()
        goes = list(itertools.takewhile(lambda each: each.at + each.duration_ms < before, kept))
        old = self._shorten(before)
        self.shed(goes, "age", now)
        return bool(goes) or old

    def _shorten(self, before: int) -> bool:
        with contextlib.suppress(FileNotFoundError), self._writing():
            with self.timeline.open(encoding="utf-8", errors="replace") as file:
                if _at(file.readline(LINE_BYTES)) >= before:
                    return False
                left = "".join(line for line in file if _at(line) >= before)
            part = self.folder / SHORTENED
            part.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(part, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(left)
            part.replace(self.timeline)
            return True
        return False

    def _last_number(self) -> int:
        """Of the segments that were here, by the timeline: a number is not given twice."""
        found = 0
        with contextlib.suppress(OSError), self.timeline.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                said = _read(line)
                number = said.get("last" if said.get("kind") == "dropped" else "number")
                found = max(found, number) if isinstance(number, int) else found
        return min(found, LAST_NUMBER)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One at a time writes to the timeline, of all threads. Raises OSError."""
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def drop(self) -> None:
        """The file that came is not wanted."""
        with contextlib.suppress(OSError):
            (self.folder / COMING).unlink()

    def note(self, *lines: Mapping[str, object]) -> None:
        """Lines of the timeline; what the disk does not take is lost."""
        if not lines:
            return
        text = _text(lines)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._writing(), os.fdopen(os.open(self.timeline, flags, 0o600), "a") as file:
                if file.tell() < TIMELINE_BYTES:
                    last = file.tell() + len(text) >= TIMELINE_BYTES
                    file.write(
                        text + (_text([{"at_ms": lines[-1].get("at_ms"), "kind": "full"}]) if last else "")
                    )

    @property
    def timeline(self) -> Path:
        """JSON lines."""
        return self.folder / TIMELINE

    def remove(self) -> None:
        """All of it. Raises OSError."""
        for left in reversed(range(REMOVALS)):
            try:
                shutil.rmtree(self.folder)
            except FileNotFoundError:
                return
            except OSError as error:
                # A line of the timeline came meanwhile.
                if error.errno != errno.ENOTEMPTY or not left:
                    raise


def _text(lines: Sequence[Mapping[str, object]]) -> str:
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def _read(line: str) -> dict[str, object]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _at(line: str) -> int:
    """When that was; a line that was cut off by a crash is older than all."""
    at = _read(line).get("at_ms")
    return at if isinstance(at, int) else 0


def weight(segment: SegmentFile) -> int:
    """What it counts for where bytes are limited."""
    return max(segment.bytes, FILE_COST)


def surplus(kept: Sequence[SegmentFile], most_bytes: int) -> Sequence[SegmentFile]:
    """Those of `kept`, oldest first, that go for the newer ones; the newest stays."""
    room, stays = most_bytes, 0
    for each in reversed(kept[-MOST_FILES:]):
        room -= weight(each)
        if room < 0 and stays:
            break
        stays += 1
    return kept[: len(kept) - stays]


def _name(segment: SegmentFile) -> str:
    size = f"{segment.width}x{segment.height}"
    return f"{segment.number:06d}-{segment.at}-{segment.duration_ms}-{size}.mp4"
