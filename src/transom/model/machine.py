"""What a driver is told and what it answers. Nothing here assumes a machine is a local process or path."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from transom_wire.control import Limits
from transom_wire.exit import ExitRoute


class MachineState(StrEnum):
    """What a driver sees of a machine."""

    RUNNING = "running"
    """Its keeper answers."""
    GONE = "gone"
    """It was made and is no more; something may be left to destroy."""


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """Everything needed to make a session's machine."""

    machine: str
    session: str | None
    """None: a warm machine, which waits for its Claim."""
    slot: int
    image: str
    width: int
    height: int
    start_url: str
    exit: ExitRoute
    deadline: int
    limits: Limits
    program: str = "browser"
    """browser or terminal: what the desktop starts with."""


@dataclass(frozen=True, slots=True)
class DriverFlags:
    """What a driver can; the one excuse for a contract test to be skipped."""

    warm: bool = False
    """It makes machines that wait without identity, and claims reach them."""
    snapshot: bool = False
    """`prepare` saves a machine of an image once; warm machines are clones of it."""
    own_kernel: bool = False
    """The guest runs a kernel of its own; else it shares the host's."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a driver can work on this host; each problem comes with its mend."""

    usable: bool
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is missing or weaker than it should be, and the command or act that mends it."""

    what: str
    mend: str
