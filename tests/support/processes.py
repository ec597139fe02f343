"""Processes of transom on this host, found by their command lines."""

from __future__ import annotations

from pathlib import Path


def keeper_of(machine: str) -> int:
    """The process id of a machine's keeper."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"transom_keeper" in b" ".join(words) and machine.encode() in words:
                return int(entry.name)
    raise AssertionError(f"no keeper of {machine}")


def descendants(process: int) -> list[int]:
    """Process ids of its children, theirs, and so on."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    found, wave = [], {process}
    while wave:
        wave = {child for child, parent in parents.items() if parent in wave}
        found += sorted(wave)
    return found
