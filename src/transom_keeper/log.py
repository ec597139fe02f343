"""Bounded logs: whatever a guest makes the keeper write, two files of a fixed size are all there is."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from transom_wire.rate import Bucket

LOG_BYTES = 512 * 1024
"""One file's size; when it is full it becomes `NAME.1`, and the one before is dropped."""
GUEST_BYTES_PER_SECOND = 16 * 1024
GUEST_BURST_BYTES = 128 * 1024
_CLEAN = dict.fromkeys((*range(32), 127, *range(128, 160)), "?") | {9: " "}


class BoundedFile:
    """Appends lines to `path`, and never holds more than twice `limit` bytes on disk."""

    def __init__(self, path: Path, limit: int = LOG_BYTES) -> None:
        self._path, self._limit = path, limit
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def write(self, text: str) -> None:
        """Write one line. A full disk loses the line, never the machine."""
        line = text.encode(errors="replace")[: self._limit] + b"\n"
        try:
            if self._size + len(line) > self._limit:
                os.close(self._descriptor)
                os.replace(self._path, f"{self._path}.1")
                self._open()
            self._size += os.write(self._descriptor, line)
        except OSError:
            return


class FileHandler(logging.Handler):
    """The keeper's own log."""

    def __init__(self, file: BoundedFile) -> None:
        super().__init__()
        self._file = file
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as one line, and a traceback below it."""
        self._file.write(self.format(record))


class GuestOutput:
    """What the guest prints, cleaned, cut to a rate; what is over it is counted and thrown away."""

    def __init__(self, file: BoundedFile) -> None:
        self._file = file
        self._bucket = Bucket(GUEST_BYTES_PER_SECOND, GUEST_BURST_BYTES, time.monotonic())
        self._dropped = 0
        self.last = ""
        """The last line seen, for the reason of an early end."""

    def feed(self, line: bytes) -> None:
        """Take in one line, without its end."""
        text = clean(line)
        if text:
            self.last = text[:300]
        if not self._bucket.take(len(line) + 1, time.monotonic()):
            self._dropped += 1
            return
        if self._dropped:
            self._file.write(f"... {self._dropped} lines over the rate were dropped")
            self._dropped = 0
        self._file.write(text)


def clean(line: bytes) -> str:
    """`line` without anything a terminal would obey."""
    return line.decode(errors="replace").translate(_CLEAN).strip()


def start(path: Path) -> None:
    """Send the process's log to `path`."""
    root = logging.getLogger()
    root.handlers = [FileHandler(BoundedFile(path))]
    root.setLevel(logging.INFO)
    logging.raiseExceptions = False
