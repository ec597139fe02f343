"""Control groups for one machine, versions 1 and 2: where they could be, what they are told, how they end.

A machine's groups are made below the groups its starter lives in, so that whatever bounds the starter
bounds its machines too. What cannot be had is a warning in words, never a failure.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from transom_wire.keeper_config import Limits

CONTROLLERS = ("memory", "cpu", "pids")
FOLDER = "transom"
_RACES = 10
PERIOD_US = 100_000
"""The scheduler's accounting period, its default."""


@dataclass(frozen=True, slots=True)
class Base:
    """A folder in which a machine's group may be made, and which controllers it would have there."""

    path: Path
    version: int
    controllers: tuple[str, ...]


@dataclass(slots=True)
class Groups:
    """A machine's groups: descriptors to join by (opened before rights are dropped), and what is amiss."""

    joins: list[int] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    controllers: tuple[str, ...] = ()
    """Those that limit the machine."""

    def join(self) -> None:
        """Put the calling process in. Only right before it executes the sandbox. Raises OSError."""
        for descriptor in self.joins:
            os.write(descriptor, b"0")

    def close(self) -> None:
        """Close the descriptors; the groups stay."""
        while self.joins:
            os.close(self.joins.pop())


def bases(mounts: str, own: str) -> list[Base]:
    """Where groups can be made, from the text of /proc/self/mounts and /proc/self/cgroup. Pure.

    Version 1: in our own group. Version 2: beside it, because a group there holds either processes or
    groups with controllers, not both.
    """
    paths = {name: path for line in own.splitlines() for name, path in [_split(line)] if _usable(path)}
    found: list[Base] = []
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 4:
            continue
        place, kind, options = Path(fields[1]), fields[2], fields[3].split(",")
        if kind == "cgroup2" and "" in paths:
            found.append(Base(place / os.path.dirname(paths[""]).lstrip("/") / FOLDER, 2, CONTROLLERS))
        elif kind == "cgroup":
            here = tuple(each for each in CONTROLLERS if each in options)
            path = next((paths[name] for name in paths if here and here[0] in name.split(",")), None)
            if path is not None:
                found.append(Base(place / path.lstrip("/") / FOLDER, 1, here))
    return found


def _split(line: str) -> tuple[str, str]:
    _, _, rest = line.partition(":")
    name, _, path = rest.partition(":")
    return name, path


def _usable(path: str) -> bool:
    """False for a group that this cgroup namespace cannot show: `/../x`."""
    return path.startswith("/") and ".." not in path.split("/")


def own_bases() -> list[Base]:
    """`bases` for the calling process; none where the host says nothing."""
    try:
        mounts, own = Path("/proc/self/mounts").read_text(), Path("/proc/self/cgroup").read_text()
    except OSError:
        return []
    return bases(mounts, own)


def offers(base: Base) -> tuple[str, ...]:
    """Controllers that a group at `base` could have, as far as reading tells."""
    if base.version == 1:
        return base.controllers if base.path.parent.is_dir() else ()
    try:
        available = (base.path.parent / "cgroup.controllers").read_text().split()
    except OSError:
        return ()
    return tuple(each for each in base.controllers if each in available)


def settings(limits: Limits, controller: str, version: int) -> list[tuple[str, str, bool]]:
    """(file, value, whether it must succeed) for one controller. Pure."""
    quota = str(limits.cpu_millis * PERIOD_US // 1000)
    memory = str(limits.memory_bytes)
    table = {
        ("memory", 1): [
            ("memory.limit_in_bytes", memory, True),
            ("memory.memsw.limit_in_bytes", memory, False),
        ],
        ("memory", 2): [("memory.max", memory, True), ("memory.swap.max", "0", False)],
        ("cpu", 1): [("cpu.cfs_period_us", str(PERIOD_US), True), ("cpu.cfs_quota_us", quota, True)],
        ("cpu", 2): [("cpu.max", f"{quota} {PERIOD_US}", True)],
        ("pids", 1): [("pids.max", str(limits.pids), True)],
        ("pids", 2): [("pids.max", str(limits.pids), True)],
    }
    return table[controller, version]


def make(name: str, limits: Limits, places: Iterable[Base]) -> Groups:
    """Make the groups of the machine `name` wherever they can be had. Never raises OSError."""
    groups, had = Groups(), set[str]()
    reasons: dict[str, str] = {}
    for base in places:
        wanted = [each for each in base.controllers if each not in had]
        if not wanted:
            continue
        try:
            had |= _make_one(base, name, limits, wanted, groups, reasons)
        except OSError as error:
            reasons |= dict.fromkeys(wanted, f"{base.path}: {error.strerror}")
    groups.controllers = tuple(each for each in CONTROLLERS if each in had)
    for missing in (each for each in CONTROLLERS if each not in had):
        reason = reasons.get(missing, "this host has no such control group")
        groups.warnings.append(f"no {missing} limit: {reason}")
    return groups


def _make_one(
    base: Base, name: str, limits: Limits, wanted: list[str], groups: Groups, reasons: dict[str, str]
) -> set[str]:
    if base.version == 2:
        wanted = _enable(base.path, wanted, reasons)
        if not wanted:
            return set()
    folder = _make_folder(base.path, name)
    had = {each for each in wanted if _apply(folder, settings(limits, each, base.version), each, reasons)}
    descriptor = os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
    groups.joins.append(descriptor)
    groups.folders.append(folder)
    return had


def _make_folder(place: Path, name: str) -> Path:
    """Again when the end of another machine removed `place`, empty for a moment, in between."""
    for _ in range(_RACES):
        with contextlib.suppress(FileNotFoundError):
            place.mkdir(exist_ok=True)
            (place / name).mkdir(exist_ok=True)
            return place / name
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place))


def _enable(place: Path, wanted: list[str], reasons: dict[str, str]) -> list[str]:
    """Hand the controllers down to `place` and through it; return those that arrived."""
    parent = place.parent
    available = (parent / "cgroup.controllers").read_text().split()
    place_made = [each for each in wanted if each in available]
    if not place_made:
        return []
    place.mkdir(exist_ok=True)
    arrived = []
    for each in place_made:
        try:
            for step in (parent, place):
                (step / "cgroup.subtree_control").write_text(f"+{each}")
            arrived.append(each)
        except OSError as error:
            reasons[each] = f"{parent}: {error.strerror}"
    return arrived


def _apply(
    folder: Path, wanted: list[tuple[str, str, bool]], controller: str, reasons: dict[str, str]
) -> bool:
    for file, value, needed in wanted:
        try:
            (folder / file).write_text(value)
        except OSError as error:
            if needed:
                reasons[controller] = f"{folder / file}: {error.strerror}"
                return False
    return True


def processes(folder: Path) -> list[int]:
    """The processes in a group now; none when it is gone."""
    try:
        return [int(line) for line in (folder / "cgroup.procs").read_text().split()]
    except (OSError, ValueError):
        return []


def kill(folder: Path, pid: int) -> None:
    """End a process of a group: by descriptor, and after another look: the number may be another process's by now."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if pid in processes(folder):
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    finally:
        os.close(descriptor)


def remove(folder: Path) -> bool:
    """Remove an empty group, and the one around it with the last machine's. True when it is gone."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    with contextlib.suppress(OSError):
        folder.parent.rmdir()
    return True
