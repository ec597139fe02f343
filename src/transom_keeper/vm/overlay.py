"""A machine's own disk over its read-only image: a sparse file that nobody can find, gone with its last holder."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

PIECE = 2**20
"""Bytes copied at once."""


def make_overlay(folder: Path, size: int) -> int:
    """A descriptor, for reading and writing, of an empty disk of `size` bytes in `folder`. Raises OSError."""
    descriptor, path = make_named(folder, "overlay", size)
    try:
        path.unlink()
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def make_named(folder: Path, name: str, size: int) -> tuple[int, Path]:
    """The same, of a disk that can be found until whoever must find it has: then its path is to be removed."""
    path = folder / f"{name}.{os.getpid()}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.ftruncate(descriptor, size)
    except OSError:
        os.close(descriptor)
        path.unlink()
        raise
    return descriptor, path


def empty(overlay: int) -> None:
    """Make it as it was in the beginning. Raises OSError."""
    size = os.fstat(overlay).st_size
    os.ftruncate(overlay, 0)
    os.ftruncate(overlay, size)


def copy_sparse(source: int, target: int) -> None:
    """Make `target`, which is empty, hold what `source` does, and its holes. Raises OSError."""
    os.ftruncate(target, os.fstat(source).st_size)
    end = 0
    with contextlib.suppress(_NoMoreData):
        while True:
            start = _data(source, end)
            end = os.lseek(source, start, os.SEEK_HOLE)
            _copy(source, target, start, end)


class _NoMoreData(Exception):
    pass


def _data(source: int, offset: int) -> int:
    try:
        return os.lseek(source, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise _NoMoreData from error
        raise


def _copy(source: int, target: int, start: int, end: int) -> None:
    while start < end:
        data = os.pread(source, min(PIECE, end - start), start)
        if not data:
            raise OSError(errno.EIO, "the disk became shorter")
        start += os.pwrite(target, data, start)


def used(overlay: int) -> int:
    """Bytes that it takes of the host's disk."""
    return os.fstat(overlay).st_blocks * 512
