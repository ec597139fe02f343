"""The native messaging host: the browser starts it, says on standard input whether a page to sign in at is shown, and
closes that once it has no more to say. Runs alone, as a script, with nothing but the standard library.

While one is shown there is a file of this process's, which it holds a lock on: a file without one is a host that died
without its last word.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import BinaryIO

HELLO = "hello"
"""There once a browser has said anything since it was started."""
LIMIT = 1024
"""Bytes of a message."""


def said(stream: BinaryIO) -> bool | None:
    """The next message: whether one is shown. None at the end, and for what is no message."""
    header = stream.read(4)
    size = int.from_bytes(header, sys.byteorder)
    if len(header) < 4 or size > LIMIT:
        return None
    try:
        found = json.loads(stream.read(size))
    except (ValueError, RecursionError):
        return None
    shown = found.get("shown") if isinstance(found, dict) else None
    return shown if isinstance(shown, bool) else None


def is_held(path: Path) -> bool:
    """Whether the host that made this file lives."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def serve(folder: Path, stream: BinaryIO) -> None:
    """Write down what is said until the end. Raises OSError."""
    own, held = folder / str(os.getpid()), -1
    for path in folder.iterdir():
        if path.name != HELLO and not is_held(path):
            path.unlink(missing_ok=True)  # this browser says anew what is shown
    while (shown := said(stream)) is not None:
        (folder / HELLO).touch(mode=0o600)
        if shown and held < 0:
            held = os.open(own, os.O_WRONLY | os.O_CREAT, 0o600)
            fcntl.flock(held, fcntl.LOCK_EX)
        elif not shown and held >= 0:
            own.unlink(missing_ok=True)
            os.close(held)
            held = -1


if __name__ == "__main__":
    serve(Path(sys.argv[0]).parent / "shown", sys.stdin.buffer)
