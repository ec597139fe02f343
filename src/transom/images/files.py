"""Small files that several processes share: written whole by one rename, changed under a lock."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from transom.images.errors import ImageError

POLL = 0.2
"""Seconds between two tries to take a lock."""


def write(path: Path, content: bytes) -> None:
    """Make `path` hold `content`, whole or not at all, for all to read. Raises OSError."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor, fresh = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        os.replace(fresh, path)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        raise


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take a lock on an open file or folder if nobody else's stands in the way."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(
    path: Path, *, deadline: float, busy: str, mend: str, waiting: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold the lock file `path`; calls `waiting` once when another has it.

    Raises ImageError with `busy` after `deadline` seconds, OSError when there can be no such file.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not try_lock(descriptor):
            waiting()
            give_up = time.monotonic() + deadline
            while not try_lock(descriptor):
                if time.monotonic() > give_up:
                    raise ImageError(busy, mend=mend)
                time.sleep(POLL)
        yield
    finally:
        os.close(descriptor)
