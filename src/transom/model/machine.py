"""What a driver is told and what it answers. Nothing here assumes a machine is a local process or path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, get_args

from transom_wire.exit import ExitRoute
from transom_wire.keeper_config import Limits


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


DriverName = Literal["namespace", "qemu", "firecracker"]
DRIVERS: tuple[str, ...] = get_args(DriverName)
VM_DRIVERS = ("qemu", "firecracker")
"""Those whose machines have a kernel of their own."""


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


class MachinePhase(StrEnum):
    """Where a machine is, as its row says."""

    MAKING = "making"
    """The driver makes it, or it boots."""
    PARKED = "parked"
    """Warm: it waits in the pool for a session."""
    CLAIMED = "claimed"
    """Taken from the pool for `session`, and not ready yet."""
    READY = "ready"
    """A session uses it."""
    LEAVING = "leaving"
    """Nobody's any more; what is left of it is being removed."""
    OVER = "over"
    """Gone, and its slot free."""


class Outcome(StrEnum):
    """What became of a machine."""

    USED = "used"
    """It served its session to the end."""
    FAILED = "failed"
    """It never became ready, never parked, or refused its claim."""
    LOST = "lost"
    """It ended by itself under a session that used it."""
    CANCELLED = "cancelled"
    """Its session was ended before it was ready."""
    UNUSED = "unused"
    """The pool gave it back: too many, too old, of another image, or memory was short."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One try at a machine: a row of its own, which outlives the machine. Times are Unix milliseconds."""

    id: str
    driver: str
    image: str
    slot: int
    """Small number unique among machines that are not over; picks the sandbox's user id."""
    phase: MachinePhase
    phase_since: int
    made_at: int
    """When its making began."""
    session: str | None = None
    """None while it is the pool's."""
    warm: bool = False
    """It was made for the pool."""
    stages: Mapping[str, int] = field(default_factory=dict)
    """Stage -> milliseconds since `made_at`."""
    ended_at: int | None = None
    outcome: Outcome | None = None
    failed_stage: str = ""
    """One of FAILED_STAGES when something went wrong, and `cause` says what."""
    cause: str = ""
    usage: Mapping[str, int] = field(default_factory=dict)
    """The last the keeper said: memory_bytes, cpu_ms, pids, disk_bytes."""


FAILED_STAGES = (
    "image",
    "network",
    "boot",
    "guest",
    "display",
    "desktop",
    "browser",
    "claim",
    "ready",
    "first_frame",
    "service",
    "running",
)
"""Where a machine can fail, in the order of its life: `boot` is the driver's and the keeper's part, `guest` the
guest's first word on its link, `ready` the first painted window, `service` a crash of one of its services, after which
it went on, `running` anything after that."""
