"""Where a session's recording is: a folder of segments, whose names say all there is to know, and a timeline.

Every call blocks on the disk. Nobody else reads it: folder 0700, files 0600.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from transom.model.errors import Full
from transom.model.recording import SegmentFile
from transom_wire.record import SegmentComes

NAME = re.compile(r"(\d{6})-(\d{1,16})-(\d{1,9})-(\d{1,5})x(\d{1,5})\.mp4")
"""number-at-duration-size: a listing is the index, and no crash can make the two differ."""
COMING = "coming"
TIMELINE = "timeline.jsonl"
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
RESERVE = 256 * 2**20
"""Bytes of the disk that stay free: the database is there."""


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
        for each in self.segments():
            if each.number == number:
                return self.folder / _name(each)
        return None

    def begin(self) -> BinaryIO:
        """A file for a segment that comes. Raises Full, OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        space = os.statvfs(self.folder)
        if space.f_bavail * space.f_frsize < RESERVE:
            raise Full("the server's disk is full")
        coming = self.folder / COMING
        coming.unlink(missing_ok=True)
        return os.fdopen(os.open(coming, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")

    def keep(self, comes: SegmentComes, at: int, most_bytes: int) -> SegmentFile | None:
        """The file is whole: it is a segment; the oldest go for it. None for one that was there.

        Raises Full, OSError.
        """
        known = self.segments()
        for each in known:
            same = (each.duration_ms, each.bytes) == (comes.duration_ms, comes.size)
            if same and abs(each.at - at) < SAME_MS:
                self.drop()
                return None
        number = known[-1].number + 1 if known else 1
        if number > LAST_NUMBER:
            self.drop()
            raise Full("the recording has as many segments as can be numbered")
        segment = SegmentFile(number, at, comes.duration_ms, comes.width, comes.height, comes.size)
        (self.folder / COMING).replace(self.folder / _name(segment))
        for each in surplus([*known, segment], most_bytes):
            (self.folder / _name(each)).unlink(missing_ok=True)
        return segment

    def drop(self) -> None:
        """The file that came is not wanted."""
        with contextlib.suppress(OSError):
            (self.folder / COMING).unlink()

    def note(self, *lines: Mapping[str, object]) -> None:
        """Lines of the timeline; what the disk does not take is lost."""
        text = _text(lines)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(self.folder / TIMELINE, flags, 0o600), "a") as file:
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
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)


def _text(lines: Sequence[Mapping[str, object]]) -> str:
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


def surplus(kept: Sequence[SegmentFile], most_bytes: int) -> Sequence[SegmentFile]:
    """Those of `kept`, oldest first, that go for the newer ones; the newest stays."""
    room, stays = most_bytes, 0
    for each in reversed(kept[-MOST_FILES:]):
        room -= max(each.bytes, FILE_COST)
        if room < 0 and stays:
            break
        stays += 1
    return kept[: len(kept) - stays]


def _name(segment: SegmentFile) -> str:
    size = f"{segment.width}x{segment.height}"
    return f"{segment.number:06d}-{segment.at}-{segment.duration_ms}-{size}.mp4"
