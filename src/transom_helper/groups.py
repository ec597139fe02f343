"""Control groups of one machine: made with its limits, and ended with all that is in them."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Iterable
from pathlib import Path

from transom_helper.refusal import Refusal
from transom_keeper import cgroups
from transom_keeper.cgroups import Base, Groups
from transom_wire.keeper_config import Limits

END_SECONDS = 8.0
_LEAST = Limits(memory_bytes=2**30, cpu_millis=1000, pids=64)
"""Of a group that nothing is ever in."""
_LOOK_SECONDS = 0.01


def folders(name: str, places: Iterable[Base]) -> tuple[str, ...]:
    """Where `make` may make groups for `name`."""
    return tuple(str(base.path / name) for base in places)


def make(name: str, limits: Limits, places: Iterable[Base]) -> Groups:
    """The groups; what cannot be had is a warning."""
    return cgroups.make(name, limits, places)


def trial() -> tuple[str, ...]:
    """The controllers that a machine's groups would have now, found out by making some and removing them."""
    made = make(f"trial-{os.getpid()}", _LEAST, cgroups.own_bases())
    made.close()
    for folder in made.folders:
        cgroups.remove(folder)
    return made.controllers


def join(groups: Groups, pidfd: int, pid: int) -> None:
    """Put process `pid` in; `pidfd` is of the same process, and tells whether the number is still its. Raises
    Refusal."""
    for descriptor in groups.joins:
        with contextlib.suppress(ProcessLookupError):
            os.write(descriptor, str(pid).encode())
    if ended(pidfd):
        raise Refusal("the process has ended")


def ended(pidfd: int) -> bool:
    """True once the process of `pidfd` has ended."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def end(folders: Iterable[str], seconds: float = END_SECONDS) -> None:
    """Kill every process in the groups and remove them. Raises Refusal when some stay."""
    left = [Path(folder) for folder in folders]
    deadline = time.monotonic() + seconds
    for folder in left:
        # no more forks: what is there now is all there will be
        with contextlib.suppress(OSError):
            (folder / "pids.max").write_text("0")
        with contextlib.suppress(OSError):
            (folder / "cgroup.kill").write_text("1")
    while left := [folder for folder in left if not _emptied(folder)]:
        if time.monotonic() > deadline:
            raise Refusal(
                f"processes of the machine do not end, or {left[0]} cannot be removed", "ask again later"
            )
        time.sleep(_LOOK_SECONDS)


def _emptied(folder: Path) -> bool:
    for pid in cgroups.processes(folder):
        cgroups.kill(folder, pid)
    return cgroups.remove(folder)
