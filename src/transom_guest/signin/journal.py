"""What a restarted agent needs to go on: which sign-in, which serial, what is stored. Holds no secret."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from transom_wire.codec import WireError, decode, encode
from transom_wire.link import SigninStart

MAX_SIZE = 128 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """One sign-in as it was last written down."""

    start: SigninStart
    serial: int
    digest: str
    done: bool


class Journal:
    """One small file, mode 0600, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Memory | None:
        """What was written last; None when there is nothing, or nothing that can be believed."""
        try:
            raw = self._path.read_bytes()[: MAX_SIZE + 1]
            body = json.loads(raw)
            start = decode(body["start"].encode(), (SigninStart,))
            serial, digest, done = body["serial"], body["digest"], body["done"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, WireError):
            return None
        if type(serial) is not int or type(digest) is not str or type(done) is not bool or serial < 0:
            return None
        return Memory(start, serial, digest, done)

    def write(self, memory: Memory) -> None:
        """Replace the file; a full disk costs a restarted agent its memory, and nothing else."""
        body = json.dumps(
            {
                "start": encode(memory.start).decode(),
                "serial": memory.serial,
                "digest": memory.digest,
                "done": memory.done,
            }
        )
        fresh = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(body)
            fresh.replace(self._path)

    def forget(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
