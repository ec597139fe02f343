"""What a host holds that a machine could have left: counted before and after, so that anything new is seen."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections import Counter
from pathlib import Path

from transom.drivers import remains

NAMED = Path("/run/netns")
EMULATED = re.compile(r"(transom-link-|tl)[0-9a-f]{6}:?")
"""Namespaces and links of other tests, which come and go: `link_emulator` names them so."""
CUT = re.compile(r"table inet transom_test_[0-9a-f]{8}")
"""And rules: `cut` names them so."""


def footprint(folder: Path, uids: range, ports: tuple[int, int], *more: Path) -> Counter[str]:
    """Everything on this host that a machine of `folder` could leave, as words, each with its number.

    Processes by name and of any of `uids`, their network namespaces, those that a keeper or a root helper of these
    folders holds, those with a name, links, rules, control groups, mounts, files below `folder` and `more`, and
    sockets on the door's `ports`. The difference is what matters.
    """
    found: Counter[str] = Counter()
    found.update(f"process {each.machine}" for each in remains.processes(folder))
    found.update(f"group {owner} {group}" for owner, group in remains.groups(folder))
    found.update(_processes(uids))
    found.update(_held((folder, *more)))
    found.update(f"namespace {name}" for name in _named())
    links = (line.split()[1] for line in _said("ip", "-o", "link", "show", "type", "tun"))
    found.update(f"link {name}" for name in links if not EMULATED.fullmatch(name))
    rules = _said("nft", "list", "tables")
    found.update(f"rule {line}" for line in rules if not CUT.fullmatch(line))
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


def _held(places: tuple[Path, ...]) -> set[str]:
    """Network namespaces that are open in this process, or in one that was told one of `places`."""
    found = set()
    for entry in os.scandir("/proc"):
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and _is_of(entry.name, places):
                for descriptor in os.scandir(f"/proc/{entry.name}/fd"):
                    if (target := os.readlink(descriptor.path)).startswith("net:["):
                        found.add(f"held {target}")
    return found


def _is_of(pid: str, places: tuple[Path, ...]) -> bool:
    line = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    return pid == str(os.getpid()) or any(str(place) in line for place in places)


def _named() -> list[str]:
    """ip-netns(8)'s."""
    entries = NAMED.iterdir() if NAMED.is_dir() else ()
    return [entry.name for entry in entries if not EMULATED.fullmatch(entry.name)]


def _mounts(places: tuple[Path, ...]) -> list[str]:
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return [f"mount {point}" for point in points if any(point.startswith(str(place)) for place in places)]


def _doors(ports: tuple[int, int]) -> list[str]:
    low, high = ports
    bound = (line.split()[3].rpartition(":")[2] for line in _said("ss", "-Hlun"))
    return [f"port {port}" for port in bound if port.isdigit() and low <= int(port) <= high]


def _said(*words: str) -> list[str]:
    """Raises when it cannot be had: what was not looked at is not nothing."""
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()


__all__ = ["footprint", "left"]
