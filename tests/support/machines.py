"""A machine's processes as the host sees them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support.processes import keeper_of


def descendants(pid: int) -> list[int]:
    """Every process below `pid`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def kill_guest_process(machine: str, word: str) -> int:
    """SIGKILL the guest's process whose command line has `word`; return its id as the host sees it."""
    for pid in descendants(keeper_of(machine)):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if word.encode() in line and b"bwrap" not in line.split(b"\0")[0]:
            os.kill(pid, signal.SIGKILL)
            return pid
    raise AssertionError(f"no {word} in {machine}")
