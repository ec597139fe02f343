"""What a machine uses now: by its control groups, by its processes where the host gives none.

A number that cannot be had is left out, never guessed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from transom_keeper.cgroups import CONTROLLERS, processes
from transom_keeper.deadline import now_ms
from transom_wire.codec import Message
from transom_wire.control import Usage

EVERY_S = 5.0
"""Seconds between two reports to a controller."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
OVERLAY = "overlay*"
"""Files of a virtual machine's folder that hold what it wrote."""
TEMPORARY = ("tmp", "var/tmp", "run", "home", "dev/shm")
"""Where a sandbox can write: each may be a file system in memory of its own."""
MAX_PROCESSES = 4096
_SMALL = 1 << 16
"""Bytes: 8,000 children of one thread."""
MOST = 64
"""Numbers of one report, the wire's limit."""


class UsageMeter:
    """Measures one machine. `groups` are its control groups' folders, `folder` is the machine's own."""

    def __init__(self, groups: Iterable[Path], folder: Path, proc: Path = Path("/proc")) -> None:
        self._groups, self._folder, self._proc = tuple(groups), folder, proc
        self._cpu_ms = 0
        self.outside: int | None = None
        """A pidfd of the machine's first process, where that is no descendant of this one."""
        self.last: dict[str, str] = {}
        """What was measured last."""

    def measure(self) -> dict[str, str]:
        """memory_bytes, cpu_ms since the start, pids, disk_bytes: those that are known, as decimal text.

        Blocks for milliseconds where there are no control groups: for a thread.
        """
        known = self._by_groups()
        if len(known) < len(CONTROLLERS):
            known = {**self._by_processes(), **known}
        # A process that is gone takes its time with it where its parent did not wait for it.
        self._cpu_ms = known["cpu_ms"] = max(self._cpu_ms, known.get("cpu_ms", 0))
        disk = self._disk()
        if disk is not None:
            known["disk_bytes"] = disk
        self.last = {name: str(number) for name, number in known.items()}
        return self.last

    def _by_groups(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for folder in self._groups:
            if not processes(folder):
                continue
            for name, file, key, part in _FILES:
                number = _read_number(folder / file, key)
                if number is not None:
                    found.setdefault(name, number // part)
        return found

    def _by_processes(self) -> dict[str, int]:
        pids = self._pids()
        if not pids:
            return {}
        memory, ticks = 0, 0
        for pid in pids:
            with contextlib.suppress(OSError, ValueError, IndexError):
                resident, shared = _read(f"{self._proc}/{pid}/statm").split()[1:3]
                memory += (int(resident) - int(shared)) * _PAGE
            with contextlib.suppress(OSError, ValueError, IndexError):
                ticks += sum(map(int, _stat(self._proc, pid)[11:15]))
        return {"memory_bytes": max(0, memory), "cpu_ms": ticks * 1000 // _TICKS, "pids": len(pids)}

    def _pids(self) -> list[int]:
        pids = list(below(os.getpid(), self._proc))
        if self.outside is not None and (first := _process_of(self.outside, self._proc)) is not None:
            pids += [first, *below(first, self._proc)]
        return pids

    def _disk(self) -> int | None:
        with contextlib.suppress(OSError):
            overlays = [path.stat().st_blocks * 512 for path in self._folder.glob(OVERLAY)]
            if overlays:
                return sum(overlays)
        for pid in below(os.getpid(), self._proc):
            used = _temporary(self._proc / str(pid) / "root")
            if used is not None:
                return used
        return None


class Listener(Protocol):
    """Whom the reports go to."""

    @property
    def attached(self) -> bool: ...

    def deliver(self, message: Message) -> None: ...


class Counting(Protocol):
    """The forwarder, or the door."""

    def sums(self) -> Mapping[str, str]:
        """Counters that only rise."""


class UsageReports:
    """Tells a controller, while one listens."""

    def __init__(
        self,
        meter: UsageMeter,
        forwarder: Callable[[], Counting | None],
        listener: Callable[[], Listener | None],
        door: Callable[[], Counting | None] = lambda: None,
    ) -> None:
        self._meter, self._listener = meter, listener
        self._parts = (("door", door), ("exit", forwarder))
        self.every_s = EVERY_S

    async def run(self, outside: int | None) -> None:
        """Until cancelled. `outside` as in UsageMeter."""
        self._meter.outside = outside
        while True:
            listener = self._listener()
            if listener is not None and listener.attached:
                await self.measure()
                self.tell()
            await asyncio.sleep(self.every_s)

    async def measure(self) -> None:
        """Look at the machine; what `tell` says of it is as old as the last look."""
        await asyncio.to_thread(self._meter.measure)

    def tell(self) -> None:
        """One report, now."""
        listener = self._listener()
        if listener is not None:
            numbers = [*self._meter.last.items()]
            for prefix, part in self._parts:
                sums = counting.sums() if (counting := part()) is not None else {}
                numbers += [(f"{prefix}_{name}", number) for name, number in sums.items()]
            listener.deliver(Usage(at=now_ms(), numbers=dict(numbers[:MOST])))


_FILES = (
    ("memory_bytes", "memory.current", "", 1),
    ("memory_bytes", "memory.usage_in_bytes", "", 1),
    ("cpu_ms", "cpu.stat", "usage_usec", 1000),
    ("cpu_ms", "cpuacct.usage", "", 1_000_000),
    ("pids", "pids.current", "", 1),
)
"""(number, file, the key of its line or none, how many of its units make one of ours), both versions."""


def below(root: int, proc: Path = Path("/proc")) -> Iterator[int]:
    """All processes below `root`, itself not, parents before their children; each is looked up once it is asked for."""
    waiting, found = [root], 0
    while waiting and found < MAX_PROCESSES:
        children = _children(waiting.pop(0), proc)
        found += len(children)
        waiting += children
        yield from children


def _process_of(pidfd: int, proc: Path) -> int | None:
    """The process of a pidfd (pidfd_open(2)), None when it has ended."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = (proc / "self" / "fdinfo" / str(pidfd)).read_text().splitlines()
        pid = int(next(line.split()[1] for line in lines if line.startswith("Pid:")))
        return pid if pid > 0 else None
    return None


def _children(pid: int, proc: Path) -> list[int]:
    children: list[int] = []
    tasks = f"{proc}/{pid}/task"
    with contextlib.suppress(OSError, ValueError):
        for task in os.listdir(tasks):
            children += map(int, _read(f"{tasks}/{task}/children").split())
    return children


def _read(path: str) -> bytes:
    """A small file of /proc, by three calls: a machine has hundreds of them, each looked at every few seconds."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, _SMALL)
    finally:
        os.close(file)


def _stat(proc: Path, pid: int) -> list[bytes]:
    """The fields behind the name, which may hold spaces and brackets."""
    return _read(f"{proc}/{pid}/stat").rpartition(b")")[2].split()


def _read_number(file: Path, key: str) -> int | None:
    try:
        text = file.read_text()
        if not key:
            return int(text)
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{key} "))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _temporary(root: Path) -> int | None:
    """Bytes in the file systems that a machine with this root can write to; None for the host's own root."""
    used: dict[int, int] = {}
    try:
        if os.path.samefile(root, "/"):
            return None
        for place in TEMPORARY:
            with contextlib.suppress(FileNotFoundError):
                device = os.stat(root / place).st_dev
                system = os.statvfs(root / place)
                used[device] = (system.f_blocks - system.f_bfree) * system.f_frsize
    except OSError:
        return None
    return sum(used.values())
