"""What machines of this host wrote: the ends of the logs in their folders, which belong to whom nobody trusts."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

from transom.model.ids import is_id

NAMES = ("keeper.log", "console.log", "guest.log", "vmm.log")
"""The keeper's own word first: what the guest wrote may be anything."""
TAIL_BYTES = 16 * 1024
"""Of each log, its end: how it went wrong."""


class FolderLogs:
    """Reads below `folder`, the machines' folders. A MachineLogs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, machine: str) -> str:
        """The ends of the machine's logs, each under its name; empty when there are none."""
        if not is_id(machine, "mch"):
            return ""
        return await asyncio.to_thread(self._read, machine)

    def _read(self, machine: str) -> str:
        try:
            place = os.open(
                self._folder / machine, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            )
        except OSError:
            return ""
        try:
            parts = [(name, tail(name, place)) for name in NAMES]
        finally:
            os.close(place)
        return "\n".join(f"== {name} ==\n{text}" for name, text in parts if text)


def tail(name: str, place: int) -> str:
    """The end of a plain file in the open folder; empty for a link, a pipe, a device or nothing: the folder is
    its machine's user's, who may have put there what it likes."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    except OSError:
        return ""
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            return ""
        data = os.pread(file, TAIL_BYTES, max(0, found.st_size - TAIL_BYTES))
    except OSError:
        return ""
    finally:
        os.close(file)
    return data.decode(errors="replace").strip()
