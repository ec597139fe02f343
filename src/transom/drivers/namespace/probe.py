"""Whether this host can make namespace machines: facts are gathered, then judged. Judging is pure."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transom.model.machine import Probe, Problem
from transom_keeper import cgroups
from transom_keeper.syscalls import NUMBERS

TRIAL_SECONDS = 10.0
NEWEST = ("--clearenv", "--perms", "0700", "--size", str(2**20), "--tmpfs", "/tmp")  # noqa: S108 - inside
"""What a machine's sandbox is told that the longest-lived bubblewraps do not know."""
UNKNOWN = "Unknown option"
_SYSCTLS = {
    "kernel.apparmor_restrict_unprivileged_userns": "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "kernel.unprivileged_userns_clone": "/proc/sys/kernel/unprivileged_userns_clone",
    "user.max_user_namespaces": "/proc/sys/user/max_user_namespaces",
}
_FORBIDS = {
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),
    "kernel.unprivileged_userns_clone": ("0", "1"),
    "user.max_user_namespaces": ("0", "65536"),
}
"""Setting -> (the value that forbids, the value that mends)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A sandbox with nothing in it, started as the user a machine would be."""

    worked: bool
    said: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What `gather` saw."""

    bwrap: str | None
    architecture: str
    sysctls: dict[str, str]
    seccomp: bool
    trial: Trial
    closed: tuple[str, ...]
    """Folders on the way to the image or the guest's code that the sandbox's user cannot enter."""
    missing: tuple[str, ...]
    """Wanted folders that are not there."""
    uncontrolled: tuple[str, ...]
    """Controllers no group could be given."""


def judge(facts: Facts) -> Probe:
    """What the facts mean, and what mends it."""
    problems = list(_problems(facts))
    return Probe(usable=not problems, problems=tuple(problems), warnings=tuple(_warnings(facts)))


def _problems(facts: Facts) -> Iterator[Problem]:
    if facts.architecture not in NUMBERS:
        known = " and ".join(NUMBERS)
        yield Problem(f"no system-call filter for {facts.architecture}", f"use a host of {known}")
    if facts.bwrap is None:
        yield Problem("bubblewrap is not installed", "apt-get install bubblewrap")
    if not facts.seccomp:
        yield Problem("this kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER=y")
    forbidden = list(forbidding(facts.sysctls))
    if facts.bwrap is not None and UNKNOWN in facts.trial.said:
        yield Problem(
            f"bubblewrap is too old: {facts.trial.said}", "install that of Debian 12 (0.8) or later"
        )
    elif facts.bwrap is not None and not facts.trial.worked:
        yield from forbidden or [
            Problem(
                f"an empty sandbox does not start: {facts.trial.said}",
                "see whether this host, or the container it is, allows unprivileged user namespaces",
            )
        ]
    for path in facts.missing:
        yield Problem(f"{path} is not there", "transom image build")
    for path in facts.closed:
        yield Problem(f"the sandbox's user cannot enter {path}", f"chmod o+x {path}")


def _warnings(facts: Facts) -> Iterator[Problem]:
    for controller in facts.uncontrolled:
        yield Problem(
            f"machines get no {controller} limit: no control group can be made",
            "run the controller as a service with Delegate=yes, or as root",
        )


def forbidding(sysctls: dict[str, str]) -> Iterator[Problem]:
    """The settings that keep unprivileged users from making namespaces. Only worth saying when a trial
    failed: a distribution may allow bubblewrap by a profile of its own."""
    for name, (forbids, mends) in _FORBIDS.items():
        if sysctls.get(name) == forbids:
            yield Problem(f"{name} is {forbids}: no user namespaces", f"sysctl -w {name}={mends}")


def gather(uid: int | None, wanted: tuple[Path, ...]) -> Facts:
    """Look at this host; `uid` is who a machine would be, None for ourselves. Blocking."""
    bwrap = shutil.which("bwrap")
    return Facts(
        bwrap=bwrap,
        architecture=platform.machine(),
        sysctls={name: text for name, path in _SYSCTLS.items() if (text := _read(path)) is not None},
        seccomp=_read("/proc/sys/kernel/seccomp/actions_avail") is not None,
        trial=_try(bwrap, uid) if bwrap else Trial(False, ""),
        closed=tuple(dict.fromkeys(each for path in wanted for each in closed_to(path, uid))),
        missing=tuple(str(path) for path in wanted if not path.is_dir()),
        uncontrolled=_uncontrolled(),
    )


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _try(bwrap: str, uid: int | None) -> Trial:
    # With a /proc and /dev of its own, as a machine has: a container may allow namespaces and not these.
    told = [bwrap, "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/"]
    told += ["--proc", "/proc", "--dev", "/dev", *NEWEST, "--", "/bin/true"]
    try:
        done = subprocess.run(
            told,
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
            capture_output=True,
            text=True,
            timeout=TRIAL_SECONDS,
            env={},
            cwd="/",
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Trial(False, str(error))
    return Trial(done.returncode == 0, done.stderr.strip()[-300:])


def closed_to(path: Path, uid: int | None) -> Iterator[str]:
    """Folders from the root to `path` that a user with no group in common cannot search."""
    if uid is None:
        return
    resolved = path.resolve()
    for folder in (*reversed(resolved.parents), resolved):
        try:
            seen = os.stat(folder)
        except OSError:
            return
        if not seen.st_mode & stat.S_IXOTH and seen.st_uid != uid:
            yield str(folder)


def _uncontrolled() -> tuple[str, ...]:
    possible = {
        controller
        for base in cgroups.own_bases()
        if os.access(_nearest(base.path), os.W_OK)
        for controller in cgroups.offers(base)
    }
    return tuple(each for each in cgroups.CONTROLLERS if each not in possible)


def _nearest(path: Path) -> Path:
    return path if path.is_dir() else path.parent
