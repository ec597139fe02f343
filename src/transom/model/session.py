"""A session's states: one enum, one transition table, a deadline for each state that must pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class SessionState(StrEnum):
    """Where a session is. Only the reconcile loop moves it, along TRANSITIONS."""

    REQUESTED = "requested"
    """The intent is written; nothing has been made."""
    CREATING = "creating"
    """The driver makes keeper and machine."""
    BOOTING = "booting"
    """The machine runs; its browser has not painted."""
    READY = "ready"
    """A browser window has painted; viewers may connect."""
    STOPPING = "stopping"
    """The end was decided; the machine is being taken down."""
    ENDED = "ended"
    """Over as it should be: stopped, expired, idle."""
    FAILED = "failed"
    """Over as it should not be; logs are kept for inspection a while."""

    @property
    def over(self) -> bool:
        """True when nothing more will happen in this session."""
        return self in (SessionState.ENDED, SessionState.FAILED)


S = SessionState
TRANSITIONS: Mapping[SessionState, frozenset[SessionState]] = {
    S.REQUESTED: frozenset({S.CREATING, S.STOPPING}),
    S.CREATING: frozenset({S.BOOTING, S.STOPPING}),
    S.BOOTING: frozenset({S.CREATING, S.READY, S.STOPPING}),  # creating again: on another machine
    S.READY: frozenset({S.STOPPING}),
    S.STOPPING: frozenset({S.ENDED, S.FAILED}),
    S.ENDED: frozenset(),
    S.FAILED: frozenset(),
}


def may_become(now: SessionState, then: SessionState) -> bool:
    """True when the table allows the step."""
    return then in TRANSITIONS[now]


class EndReason(StrEnum):
    """Why a session ends, and whether it counts as a failure."""

    STOPPED = "stopped"
    EXPIRED = "expired"
    IDLE = "idle"
    CREATE_FAILED = "create_failed"
    BOOT_TIMEOUT = "boot_timeout"
    STATE_TIMEOUT = "state_timeout"
    MACHINE_GONE = "machine_gone"
    GUEST_FAILED = "guest_failed"

    @property
    def failure(self) -> bool:
        """True when the session ends as failed."""
        return self not in (EndReason.STOPPED, EndReason.EXPIRED, EndReason.IDLE)


STAGES = ("accepted", "machine", "claimed", "guest", "display", "desktop", "browser", "ready", "first_frame")
"""Keys of a session's timeline, in the order they are reached; values are milliseconds since the request.
A machine of the warm pool was booted before: what it had reached by then is 0, and `claimed` is its own."""


class SigninStage(StrEnum):
    """How a sign-in fares, from the click to the vault."""

    PENDING = "pending"
    """The machine is not ready yet."""
    STARTING = "starting"
    WAITING = "waiting"
    """The page is open; the user has the word."""
    SAVING = "saving"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """True when this flow will not move again."""
        return self in (SigninStage.DONE, SigninStage.FAILED, SigninStage.CANCELLED)


@dataclass(frozen=True, slots=True)
class Signin:
    """One sign-in flow of a session. `saved_*` is set once the vault has committed."""

    flow: str
    provider: str
    stage: SigninStage
    url: str | None = None
    user_code: str | None = None
    message: str = ""
    saved_names: tuple[str, ...] = ()
    saved_expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A row of the store. Times are Unix milliseconds."""

    id: str
    user: str
    state: SessionState
    driver: str
    image: str
    created_at: int
    state_since: int
    expires_at: int
    """Absolute end of life."""
    idle_seconds: int
    last_seen_at: int
    """Last heartbeat of a viewer, or the request itself."""
    width: int
    height: int
    start_url: str
    machine: str
    """Its machine's id: drawn with the session, another after a claim, or after a first machine that failed."""
    pooled: bool = False
    """The machine comes from the warm pool: it is claimed, not made."""
    attempt: int = 1
    """Which try at making a machine this is."""
    retried: str = ""
    """Why the machine before this one was given up."""
    provider: str | None = None
    wanted_end: EndReason | None = None
    """Set once somebody or something decided the end; the plan does the rest."""
    end_detail: str = ""
    ended_at: int | None = None
    kept_until: int | None = None
    """A failed machine's folder stays until then."""
    timeline: Mapping[str, int] = field(default_factory=dict)
    signin: Signin | None = None
    warnings: tuple[str, ...] = ()

    @property
    def idle_at(self) -> int:
        """When the session ends if no viewer is heard of."""
        return self.last_seen_at + self.idle_seconds * 1000
