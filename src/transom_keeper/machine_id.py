"""A sandbox's /etc/machine-id: a file of its keeper's, which shows inside and which nothing inside can write.

It is bound read-only, and the keeper has had it open since before it gave its rights up. A claim writes it anew in
place: the same file, so that what is inside reads the other content at once, without a mount and without root.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

NAME = "machine-id"
SHOWN_AT = "/etc/machine-id"


def fresh() -> str:
    """An id that nobody had, as machine-id(5)."""
    return secrets.token_hex(16)


@dataclass(slots=True)
class MachineIdFile:
    """The file, open for writing; every id is as long as every other, so that no reader finds half of one."""

    path: Path
    _descriptor: int

    @classmethod
    def make(cls, folder: Path) -> MachineIdFile:
        """With a fresh id, in the machine's `folder`; nobody can open it for writing any more but who may do
        everything. Raises OSError."""
        path = folder / NAME
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o444)
        made = cls(path, descriptor)
        os.fchmod(descriptor, 0o444)
        made.write(fresh())
        return made

    def write(self, machine_id: str) -> None:
        """Be `machine_id` from now on. Raises OSError."""
        content = f"{machine_id}\n".encode()
        if os.pwrite(self._descriptor, content, 0) != len(content):
            raise OSError("the machine-id was written in part")

    def hide(self) -> None:
        """Take its name away: where it is bound it stays."""
        with contextlib.suppress(OSError):
            self.path.unlink()

    def close(self) -> None:
        """Let go. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
