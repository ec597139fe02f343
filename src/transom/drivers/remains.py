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
LOOKS = 2
"""At all processes before a machine has none."""
ANY_UID = range(2**32)
"""Of a looker who is not root: other users' processes are none it could end."""


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


def processes(folder: Path, uids: range = ANY_UID) -> Iterator[Found]:
    """Keepers and sandboxes of the machines in `folder`, whatever else is left of those. `uids` are those that
    machines run as: when we are root, a process of any other user but ours only carries such a name."""
    tag = tag_of(folder / "any")
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (found := _look_at(int(entry.name), folder, tag, uids)) is not None:
            yield found


def _look_at(pid: int, folder: Path, tag: str, uids: range) -> Found | None:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    found = None
    named = ARGV0.fullmatch(words[0])
    if (machine := _keeper_of(words, folder)) is not None:
        found = Found(machine, pid, keeper=True)
    elif named and named["tag"] == tag:
        found = Found(named["machine"], pid, keeper=False)
    return found if found is not None and _outer(pid, uids, keeper=found.keeper) else None


def _outer(pid: int, uids: range, *, keeper: bool) -> bool:
    """Not a process of a guest, or of another user, that gave itself such a name. Keepers and sandboxes are of our
    own process namespace; of those in a sandbox's, its first is the sandbox's too."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    if os.geteuid() == 0 and not any(_real_uid(line, uids) for line in lines):
        return False
    numbers = next((line.split()[1:] for line in lines if line.startswith("NSpid:")), [str(pid)])
    return len(numbers) == 1 or (not keeper and len(numbers) == 2 and numbers[1] == "1")


def _real_uid(line: str, uids: range) -> bool:
    """Whether this line of a process's status says that its real user is root, or one of `uids`."""
    words = line.split()
    return words[:1] == ["Uid:"] and (int(words[1]) == 0 or int(words[1]) in uids)


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


def starting(folder: Path, machine: str, uids: range = ANY_UID) -> bool:
    """True while a process of the machine's keeper is there, with its lock or before it."""
    return any(each.keeper for each in _of(folder, machine, uids))


def end_processes(folder: Path, machine: str, grace: float, seconds: float, uids: range = ANY_UID) -> bool:
    """SIGTERM to the keeper, which ends its machine; after `grace` SIGKILL to all. True when none is left
    within `seconds`."""
    began = time.monotonic()
    while left := _of(folder, machine, uids):
        passed = time.monotonic() - began
        if passed > seconds:
            return False
        patient = passed <= grace and any(each.keeper for each in left)
        for each in left:
            if each.keeper or not patient:
                _signal(folder, each, signal.SIGTERM if patient else signal.SIGKILL, uids)
        time.sleep(LOOK_SECONDS)
    return True


def _of(folder: Path, machine: str, uids: range) -> list[Found]:
    """Of one machine. Nothing is believed only when it was seen twice: a keeper that starts hands itself on to a fork
    and ends, and one look at all processes may come too early for the one and too late for the other."""
    for _ in range(LOOKS):
        if found := [each for each in processes(folder, uids) if each.machine == machine]:
            return found
    return []


def _signal(folder: Path, found: Found, number: int, uids: range) -> None:
    """Through a pidfd, and after another look: the number may belong to another process by now."""
    with contextlib.suppress(OSError):
        descriptor = os.pidfd_open(found.pid)
        try:
            if _look_at(found.pid, folder, tag_of(folder / "any"), uids) == found:
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
                cgroups.kill(group, pid)
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
