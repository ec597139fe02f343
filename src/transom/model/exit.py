"""Exits, leases and what is known of them. Pure; times are Unix milliseconds.

An exit is an upstream proxy with its own public address. A user has at most one lease, and keeps it. What
may be decided about leases is a function of a Pool and returns a Decision, which the store commits whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from transom_wire.exit import HostRule

Sharing = Literal["share", "refuse"]
"""What happens when no free exit is left."""
MoveRule = Literal["never", "ask", "at_once"]
"""What happens to the user of an exit that is drained or dead."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A proxy as a seller names it. The password is in no repr."""

    scheme: str
    """http, https or socks5."""
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What makes two upstreams the same exit; the password may change."""
        return self.scheme, self.host, self.port, self.username or ""


class ExitState(StrEnum):
    """How an exit fares, by our own checks."""

    HEALTHY = "healthy"
    SUSPECT = "suspect"
    """A check failed, or it has just come back: still given, watched closely."""
    QUARANTINED = "quarantined"
    """Failed again and again: given to nobody new, asked again after a pause."""
    DEAD = "dead"
    """Failed for long: its user moves by rule; asked again rarely, and may return."""

    @property
    def usable(self) -> bool:
        """True when a user may get it now."""
        return self in (ExitState.HEALTHY, ExitState.SUSPECT)


@dataclass(frozen=True, slots=True)
class Health:
    """The state machine's memory; `transom.egress.health` moves it."""

    state: ExitState = ExitState.HEALTHY
    since: int = 0
    """When it came into this state."""
    streak: int = 0
    """Checks in a row that failed (below 0) or worked (above 0)."""
    strikes: int = 0
    """Quarantines in a row; the pause doubles with each."""
    retry_at: int = 0
    """Not to be checked by the schedule before."""
    checked_at: int = 0
    """0: never."""
    latency_ms: float | None = None
    """Moving average of checks that worked, and of what keepers say."""
    loss: float = 0.0
    """Moving average of failures, 0 to 1; users' own failed connections among them."""
    load: float = 0.0
    """Moving average of bytes a second that its users move."""
    why: str = ""
    """The last check's failure, in words."""


@dataclass(frozen=True, slots=True)
class Exit:
    """A row of the pool."""

    id: str
    label: str
    upstream: Upstream
    """Without its password."""
    sealed: bytes | None = field(default=None, repr=False)
    """The password, sealed by the vault; None where there is none."""
    region: str = ""
    tags: tuple[str, ...] = ()
    created_at: int = 0
    draining: bool = False
    """The operator takes it out of use: nobody gets it, and its user moves by rule."""
    health: Health = field(default_factory=Health)
    address: str | None = None
    """The external address, as measured through it; None: not known yet."""
    address_at: int = 0
    """When it was measured last."""
    bytes_up: int = 0
    bytes_down: int = 0

    @property
    def usable(self) -> bool:
        """True when a user may get it now."""
        return not self.draining and self.health.state.usable


@dataclass(frozen=True, slots=True)
class Lease:
    """A user's exit, until somebody decides otherwise."""

    user: str
    exit: str
    since: int
    shared: bool = False
    """It was given while another user had the exit already."""
    asked: bool = False
    """The user is asked whether to move."""
    word: str = ""
    """What the user is told: why they were moved, or why they are asked."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Everything that a decision about leases may rest on. `leases` by user, `exits` by id."""

    exits: Mapping[str, Exit]
    leases: Mapping[str, Lease]

    def users_of(self, exit: str) -> list[str]:
        """Who leaves by this exit, the longest there first."""
        mine = [lease for lease in self.leases.values() if lease.exit == exit]
        return [lease.user for lease in sorted(mine, key=lambda lease: (lease.since, lease.user))]

    def free(self) -> list[Exit]:
        """Usable exits that nobody has."""
        taken = {lease.exit for lease in self.leases.values()}
        return [exit for exit in self.exits.values() if exit.usable and exit.id not in taken]


@dataclass(frozen=True, slots=True)
class Line:
    """One line for the audit trail."""

    user: str
    action: str
    subject: str
    outcome: str = "done"
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, in one transaction, and what to say about it."""

    put: tuple[Lease, ...] = ()
    drop: tuple[str, ...] = ()
    """Users whose leases end; before `put`."""
    lines: tuple[Line, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put or self.drop or self.lines)


@dataclass(frozen=True, slots=True)
class Counted:
    """What one machine moved through one exit."""

    machine: str
    exit: str
    user: str
    session: str
    bytes_up: int = 0
    bytes_down: int = 0
    connections: int = 0
    failed: int = 0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Lists:
    """Where machines may go: of one user, or of one provider."""

    allow: tuple[HostRule, ...] = ()
    """Not empty: nothing else."""
    deny: tuple[HostRule, ...] = ()
    """Never, whatever `allow` says."""
