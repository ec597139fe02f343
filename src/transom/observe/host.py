"""What the controller's host has left."""

from __future__ import annotations

from pathlib import Path

MEMINFO = Path("/proc/meminfo")
KIB = 1024


def available_bytes(meminfo: Path = MEMINFO) -> int:
    """Memory that can be had without swapping, as the kernel reckons (MemAvailable, proc_meminfo(5)); 0 when it
    does not say."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        name, _, rest = line.partition(":")
        words = rest.split()
        if name == "MemAvailable" and words and words[0].isdigit():
            return int(words[0]) * KIB
    return 0
