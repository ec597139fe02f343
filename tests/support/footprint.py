"""What a host holds that a machine could have left: counted before and after, so that anything new is seen."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections import Counter
from pathlib import Path

from transom.drivers import remains


def footprint(folder: Path, uids: range, ports: tuple[int, int], *more: Path) -> Counter[str]:
    """Everything on this host that a machine of `folder` could leave, as words, each with its number.

    Processes by name and of any of `uids`, their network namespaces, links, rules, control groups, mounts, files
    below `folder` and `more`, and sockets on the door's `ports`. The difference is what matters.
    """
    found: Counter[str] = Counter()
    found.update(f"process {each.machine}" for each in remains.processes(folder))
    found.update(f"group {owner} {group}" for owner, group in remains.groups(folder))
    found.update(_processes(uids))
    found.update(f"link {line.split()[1]}" for line in _said("ip", "-o", "link", "show", "type", "tun"))
    found.update(f"rule {line}" for line in _said("nft", "list", "tables"))
    found.update(_mounts((folder, *more)))
    for place in (folder, *more):
        found.update(f"file {path}" for path in place.rglob("*"))
    found.update(_doors(ports))
    return found


def left(before: Counter[str], folder: Path, uids: range, ports: tuple[int, int], *more: Path) -> list[str]:
    """What is there now and was not before; a moment is given to what goes by itself."""
    until = time.monotonic() + 10
    while True:
        new = sorted((footprint(folder, uids, ports, *more) - before).elements())
        if not new or time.monotonic() > until:
            return new
        time.sleep(0.05)


def _processes(uids: range) -> set[str]:
    """Processes that run as one of `uids`, and the network namespaces that they are in."""
    found = set()
    for entry in os.scandir("/proc"):
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid in uids:
                found |= {f"process {entry.name}", os.readlink(f"/proc/{entry.name}/ns/net")}
    return found


def _mounts(places: tuple[Path, ...]) -> list[str]:
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return [f"mount {point}" for point in points if any(point.startswith(str(place)) for place in places)]


def _doors(ports: tuple[int, int]) -> list[str]:
    low, high = ports
    bound = (line.split()[3].rpartition(":")[2] for line in _said("ss", "-Hlun"))
    return [f"port {port}" for port in bound if port.isdigit() and low <= int(port) <= high]


def _said(*words: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()
    return []


__all__ = ["footprint", "left"]
