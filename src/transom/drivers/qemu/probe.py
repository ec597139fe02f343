"""Whether this host can make QEMU machines: facts are gathered, then judged. Judging is pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transom.drivers.elsewhere import limit_warnings, unlimited
from transom.drivers.namespace import probe as sandboxes
from transom.model.machine import Probe, Problem
from transom_keeper.helper import NO_TAG, Helper, HelperError

OLDEST = (7, 2)
"""What the arguments were written for; Debian 12 has it."""
ARCHITECTURE = "x86_64"
"""The microvm board has no other."""
_VERSION = re.compile(r"version (\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What `gather` saw."""

    sandbox: sandboxes.Facts
    """A VMM runs in a sandbox, too."""
    program: str
    version: str | None
    """What it says of itself; None when it does not run."""
    helper: Problem | None
    """Why the root helper does not answer."""
    unlimited: tuple[str, ...]
    """Limits that it cannot give, where it is the one to give them."""
    missing: tuple[str, ...]
    """What is wrong with the current image."""
    accelerator: str
    kvm_works: bool | None
    """None: not tried."""


def judge(facts: Facts) -> Probe:
    """What the facts mean, and what mends it."""
    sandbox = sandboxes.judge(facts.sandbox)
    problems = (*_problems(facts), *sandbox.problems)
    return Probe(not problems, problems, (*_warnings(facts), *sandbox.warnings))


def _problems(facts: Facts) -> Iterator[Problem]:
    if facts.sandbox.architecture != ARCHITECTURE:
        yield Problem(f"no virtual machines on {facts.sandbox.architecture}", "choose the driver namespace")
    if facts.version is None:
        yield Problem(f"{facts.program} does not run", "apt-get install qemu-system-x86")
    elif (number := version_of(facts.version)) is None or number < OLDEST:
        yield Problem(f"QEMU is too old: {facts.version}", f"install {OLDEST[0]}.{OLDEST[1]} or later")
    if not facts.program.startswith("/usr/"):
        yield Problem(f"{facts.program} is not below /usr: a machine sees nothing else", "set TRANSOM_QEMU")
    if facts.helper is not None:
        yield facts.helper
    for what in facts.missing:
        yield Problem(what, "transom image build")
    if facts.accelerator == "kvm" and facts.kvm_works is False:
        yield Problem("KVM does not work here", "set TRANSOM_ACCELERATOR=tcg, or enable virtualization")


def _warnings(facts: Facts) -> Iterator[Problem]:
    yield from limit_warnings(facts.unlimited)
    if facts.accelerator != "kvm" and facts.kvm_works is not True:
        yield Problem(
            "virtual machines are emulated: starts take half a minute, and Chromium a minute more",
            "run where /dev/kvm works, or choose the driver namespace",
        )


def version_of(said: str) -> tuple[int, int] | None:
    """The version in what `qemu-system-x86_64 --version` says."""
    found = _VERSION.search(said)
    return (int(found[1]), int(found[2])) if found else None


def ask_helper(socket: Path) -> tuple[Problem | None, tuple[str, ...]]:
    """Why the root helper at `socket` does not answer, and the limits that it cannot give. Blocking."""
    try:
        return None, unlimited(Helper(str(socket)).survey(NO_TAG))
    except HelperError as error:
        return Problem(error.reason, error.mend or "see the helper's log"), ()
