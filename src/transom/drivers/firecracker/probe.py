"""Whether this host can make Firecracker machines: facts are gathered, then judged. Judging is pure."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transom.drivers.elsewhere import limit_warnings, unlimited
from transom.drivers.version import version_text
from transom.model.machine import Probe, Problem
from transom_keeper.firecracker.version import CLOCK_REALTIME, Version, allowed, parse, wanted
from transom_keeper.helper import NO_TAG, Helper, HelperError

KVM = Path("/dev/kvm")
HELPER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What `gather` saw."""

    kvm: bool
    """/dev/kvm is there; its jail makes one of its own for each machine."""
    said: str | None
    """What `firecracker --version` prints; None when it cannot be run."""
    helper: HelperError | None
    """Why the root helper does not answer; None when it does."""
    jail: str
    """Why the helper can make no jail; empty when it can."""
    unlimited: tuple[str, ...]
    """Limits that the helper cannot give."""
    lacking: tuple[str, ...]
    """What is wrong with the image."""


def judge(facts: Facts) -> Probe:
    """What the facts mean, and what mends it."""
    problems = tuple(_problems(facts))
    return Probe(usable=not problems, problems=problems, warnings=tuple(_warnings(facts)))


def _problems(facts: Facts) -> Iterator[Problem]:
    if not facts.kvm:
        yield Problem(
            f"{KVM} is not there", "switch virtualization on in the firmware, or modprobe kvm_intel"
        )
    version = parse(facts.said) if facts.said is not None else None
    if facts.said is None:
        yield Problem("firecracker does not run", f"install {wanted()} from its releases")
    elif version is None or not allowed(version):
        known = f"firecracker {version}" if version is not None else "this firecracker"
        yield Problem(f"{known} has known holes", f"install {wanted()}")
    if facts.helper is not None:
        yield Problem(facts.helper.reason, facts.helper.mend)
    elif facts.jail:
        yield Problem(
            f"the root helper makes no jail: {facts.jail}",
            "start the helper with --firecracker and --jailer of one release",
        )
    for what in facts.lacking:
        yield Problem(what, "transom image build")


def _warnings(facts: Facts) -> Iterator[Problem]:
    yield from limit_warnings(facts.unlimited)
    version = parse(facts.said or "")
    if version is not None and allowed(version) and version < CLOCK_REALTIME:
        yield Problem(
            f"firecracker {version} wakes machines with the clock of their snapshot until they are claimed",
            f"install {CLOCK_REALTIME} or later",
        )


def gather(firecracker: Path, helper: str, lacking: tuple[str, ...], *, kvm: bool = True) -> Facts:
    """Look at this host; without `kvm` nobody asks for it. Blocking."""
    trouble, jail, missing = _ask(helper)
    return Facts(
        kvm=not kvm or _is_device(KVM),
        said=version_text(firecracker),
        helper=trouble,
        jail=jail,
        unlimited=missing,
        lacking=lacking,
    )


def version_of(firecracker: Path) -> Version | None:
    """What version the program says it is; None when it says none."""
    said = version_text(firecracker)
    return parse(said) if said is not None else None


def _ask(helper: str) -> tuple[HelperError | None, str, tuple[str, ...]]:
    try:
        found = Helper(helper, HELPER_SECONDS).survey(NO_TAG)
        return None, found.jail, unlimited(found)
    except HelperError as error:
        return error, "", ()


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(os.stat(path).st_mode)
    except OSError:
        return False
