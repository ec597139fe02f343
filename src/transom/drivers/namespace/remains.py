"""What of a machine can be found on this host, and its removal. Blocking: call it in a thread."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from transom.model.ids import is_id
from transom_keeper import cgroups
from transom_keeper.sandbox import ARGV0, tag_of

EXIT_NOTE, SOCKET = "exit.json", "keeper.sock"
BASES_NOTE = ".cgroups"
"""Where groups were ever made for this state folder: a later controller may live in another group."""
LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Found:
    """One process of a machine."""

    machine: str
    pid: int
    keeper: bool


def machines(folder: Path) -> list[str]:
    """Machines that have a folder."""
    try:
        return [entry.name for entry in os.scandir(folder) if is_id(entry.name, "mch")]
    except FileNotFoundError:
        return []


def kept(folder: Path) -> bool:
    """True while a keeper lives: it holds the lock on its machine's folder, and the kernel lets go for it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def running(folder: Path) -> bool:
    """True while a keeper lives and its machine has not ended."""
    return kept(folder) and not (folder / EXIT_NOTE).exists()


def processes(folder: Path) -> Iterator[Found]:
    """Keepers and sandboxes of the machines in `folder`, whatever else is left of those."""
    tag = tag_of(folder / "any")
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            words = Path(entry.path, "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        pid = int(entry.name)
        if (machine := _keeper_of(words, folder)) is not None:
            yield Found(machine, pid, keeper=True)
        elif (named := ARGV0.fullmatch(words[0])) and named["tag"] == tag:
            yield Found(named["machine"], pid, keeper=False)


def _keeper_of(words: list[str], folder: Path) -> str | None:
    if "transom_keeper" not in words:
        return None
    after = dict(itertools.pairwise(words))
    machine = after.get("--machine", "")
    return machine if after.get("--folder") == str(folder / machine) and is_id(machine, "mch") else None


def groups(folder: Path) -> Iterator[tuple[str, Path]]:
    """(machine, group) for every control group left of the machines in `folder`."""
    ending = f"-{tag_of(folder / 'any')}"
    for base in _bases(folder):
        with contextlib.suppress(OSError):
            for entry in os.scandir(base):
                machine = entry.name.removesuffix(ending)
                if entry.name.endswith(ending) and is_id(machine, "mch"):
                    yield machine, Path(entry.path)


def note_bases(folder: Path) -> None:
    """Remember where this controller's machines get their groups. Raises OSError."""
    known = _bases(folder)
    fresh = [base.path for base in cgroups.own_bases() if base.path not in known]
    if fresh:
        with open(folder / BASES_NOTE, "a") as note:
            note.write("".join(f"{path}\n" for path in fresh))


def _bases(folder: Path) -> list[Path]:
    try:
        lines = (folder / BASES_NOTE).read_text().splitlines()
    except OSError:
        return []
    return [Path(line) for line in dict.fromkeys(lines) if line.startswith("/")]


def end_processes(folder: Path, machine: str, grace: float, seconds: float) -> bool:
    """SIGTERM to the keeper, which ends its machine; after `grace` SIGKILL to all. True when none is left
    within `seconds`."""
    began = time.monotonic()
    _signal(folder, machine, signal.SIGTERM, keepers_only=True)
    while left := _of(folder, machine):
        passed = time.monotonic() - began
        if passed > seconds:
            return False
        if passed > grace or not any(each.keeper for each in left):
            _signal(folder, machine, signal.SIGKILL, keepers_only=False)
        time.sleep(LOOK_SECONDS)
    return True


def _of(folder: Path, machine: str) -> list[Found]:
    return [each for each in processes(folder) if each.machine == machine and not _zombie(each.pid)]


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except (OSError, IndexError):
        return True


def _signal(folder: Path, machine: str, number: int, *, keepers_only: bool) -> None:
    """Through pidfds, looked at again once held: a number may have been given to another process."""
    for each in _of(folder, machine):
        if keepers_only and not each.keeper:
            continue
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(each.pid)
            try:
                if each in _of(folder, machine):
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)


def end_groups(folder: Path, machine: str, seconds: float) -> bool:
    """Kill what is still in the machine's groups and remove them. True when they are gone within `seconds`."""
    return _until(lambda: _end_groups_once(folder, machine), seconds)


def _end_groups_once(folder: Path, machine: str) -> bool:
    gone = True
    for owner, group in groups(folder):
        if owner == machine:
            for pid in cgroups.processes(group):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            gone = cgroups.remove(group) and gone
    return gone


def _until(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def close_folder(folder: Path) -> None:
    """Leave the logs to the controller's user only; no socket stays. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(folder / SOCKET)
    if folder.is_dir() and os.geteuid() == 0:
        os.chown(folder, 0, 0, follow_symlinks=False)


def remove_folder(folder: Path) -> None:
    """Remove a machine's folder and all in it; one that is not there is no error. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
