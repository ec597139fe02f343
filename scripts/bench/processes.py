"""Who used the processor, from /proc."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """One process as /proc tells of it."""

    pid: int
    parent: int
    seconds: float
    """Of processor time, its own and that of the children it has waited for."""
    line: str
    """Its arguments, separated by blanks."""


def processes() -> dict[int, Process]:
    """All there are now."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            seconds = sum(int(fields[index]) for index in (11, 12, 13, 14)) / TICKS
            found[int(entry.name)] = Process(int(entry.name), int(fields[1]), seconds, line)
    return found


def below(roots: Iterable[int], among: dict[int, Process]) -> list[Process]:
    """The roots and everything they started."""
    known = set(roots)
    grown = True
    while grown:
        more = {one.pid for one in among.values() if one.parent in known} - known
        known |= more
        grown = bool(more)
    return [among[pid] for pid in known if pid in among]


def seconds_of(roots: Iterable[int]) -> float:
    """Processor seconds used so far by the roots and everything below them."""
    return sum(one.seconds for one in below(roots, processes()))


def busy() -> float:
    """Processor seconds that the whole host has been busy since its start."""
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / TICKS


def tcp_sent(port: int) -> int:
    """Bytes that a server on this port has sent over the connections it has now: the kernel's own count."""
    argv = ["ss", "-tinH", "state", "established", "sport", "=", f":{port}"]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return sum(int(count) for count in re.findall(r"bytes_sent:(\d+)", told))
