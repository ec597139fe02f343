"""What a driver is told and what it answers. Nothing here assumes a machine is a local process or path."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from transom_wire.control import Limits


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
    session: str
    slot: int
    image: str
    width: int
    height: int
    start_url: str
    exit: str
    deadline: int
    limits: Limits


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
