"""How much of each viewer's connection was acted out: what its page asks when it goes on by another one.

A table of fixed size in a buffer, which a file in memory can be: what a stream server that died had done,
the next one knows. At most once: a message is written down before it is acted out.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

MOST = 32
"""Connections; of more, the one that began first is forgotten."""
NAME = 80
"""Bytes of `page/epoch`: 64 and 10 characters at most."""
_ROW = struct.Struct(f"<{NAME}sQQB7x")
"""Whose, a stamp that rises, the last number acted out, flags."""
SIZE = MOST * _ROW.size
_CLOSED, _BARRED = 1, 2
MAX_SEQ = 2**53


class Taken:
    """Rows by connection. A buffer of zeros, or of anything else, is a table too."""

    def __init__(self, buffer: bytearray | mmap.mmap | None = None) -> None:
        self._buffer = bytearray(SIZE) if buffer is None else buffer

    def begin(self, viewer: str) -> None:
        """This connection's input is taken from now on: nothing of it has been acted out yet."""
        if self._find(viewer) is None:
            stamps = [self._row(at)[1] for at in range(MOST)]
            self._write(stamps.index(min(stamps)), viewer, max(stamps) + 1, 0, 0)

    def felt(self, viewer: str, seq: int) -> None:
        """Its message of this number is about to be acted out."""
        at = self._find(viewer)
        if at is not None:
            _, stamp, before, flags = self._row(at)
            if not flags & _CLOSED:
                self._write(at, viewer, stamp, max(before, min(seq, MAX_SEQ)), flags & ~_BARRED)

    def admits(self, viewer: str) -> bool:
        """False once its page has gone on by another connection: what comes late was sent again there."""
        at = self._find(viewer)
        return at is None or not self._row(at)[3] & _CLOSED

    def bar(self, page: str) -> None:
        """The desktop was taken from this page: what its connections said so far is not typed again. What is acted out
        of them later, once it has the desktop back, counts as before."""
        for at in range(MOST):
            name, stamp, seq, flags = self._row(at)
            if name.startswith(f"{page}/"):
                self._write(at, name, stamp, seq, flags | _BARRED)

    def close(self, viewer: str) -> int | None:
        """Admit no more of this connection; the last number of it that was acted out, None when that is not known."""
        at = self._find(viewer)
        if at is None:
            return None
        _, stamp, seq, flags = self._row(at)
        self._write(at, viewer, stamp, seq, flags | _CLOSED)
        return None if flags & _BARRED else seq

    def _find(self, viewer: str) -> int | None:
        name = viewer.encode().ljust(NAME, b"\0")
        starts = range(0, SIZE, _ROW.size)
        return next(
            (at for at, start in enumerate(starts) if self._buffer[start : start + NAME] == name), None
        )

    def _row(self, at: int) -> tuple[str, int, int, int]:
        name, stamp, seq, flags = _ROW.unpack_from(self._buffer, at * _ROW.size)
        # whatever a file holds: a stamp has room to rise, a number is one that a viewer may say
        return name.rstrip(b"\0").decode("ascii", "replace"), min(stamp, MAX_SEQ), min(seq, MAX_SEQ), flags

    def _write(self, at: int, viewer: str, stamp: int, seq: int, flags: int) -> None:
        _ROW.pack_into(self._buffer, at * _ROW.size, viewer.encode(), stamp, seq, flags)


def kept_at(path: Path) -> Taken:
    """The table in this file, made where there is none. One of this process's alone where it cannot be had."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, SIZE)
            return Taken(mmap.mmap(descriptor, SIZE))
        finally:
            os.close(descriptor)
    except OSError:
        return Taken()
