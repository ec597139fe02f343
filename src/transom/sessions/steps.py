"""What the plan can ask for: one small dataclass a step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from transom.model.session import EndReason, SessionState


class Seen(StrEnum):
    """What is known of a session's machine."""

    UNKNOWN = "unknown"
    """Nobody has looked yet, or looking failed: no decision rests on it."""
    ABSENT = "absent"
    RUNNING = "running"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Observed:
    """The world as one session's plan sees it."""

    machine: Seen = Seen.UNKNOWN
    held: bool = False
    """A guest task holds, or keeps trying for, the keeper's channel."""
    deadline: int | None = None
    """The deadline the keeper was told last, Unix milliseconds; None when unknown."""
    signin_reachable: bool = False
    """The guest's sign-in agent is on the link."""
    why_gone: str = ""
    """What the keeper said when the machine ended."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings that the plan needs, in milliseconds."""

    requested_ms: int
    creating_ms: int
    booting_ms: int
    stopping_ms: int
    failed_keep_ms: int
    forget_ms: int
    grace_ms: int
    """How much later the keeper's deadline is than the session's own idle end."""
    deadline_slack_ms: int = 30_000
    """The keeper is told again only when its deadline is off by more than this."""
    idle_not_before: int = 0
    """Unix milliseconds before which nobody counts as idle: the controller was down, viewers need a moment."""
    claim_ms: int = 25_000
    """Longest wait for a warm machine's answer to its claim; then the session gets a machine of its own."""
    pool: bool = False
    """There is a warm pool: a new session looks there first."""


@dataclass(frozen=True, slots=True)
class Become:
    """Move along the table; nothing outside is touched."""

    state: SessionState


@dataclass(frozen=True, slots=True)
class TakeMachine:
    """Look for a parked machine. Done: creating, with that one, or with one still to be made."""


@dataclass(frozen=True, slots=True)
class ClaimMachine:
    """Have the parked machine become this session's. Done: booting. Failed: replaced by one to be made."""


@dataclass(frozen=True, slots=True)
class CreateMachine:
    """Have the driver make the machine. Done: booting. Failed: replaced once, then the session stops."""


@dataclass(frozen=True, slots=True)
class ReplaceMachine:
    """Take the machine down and begin again with another, of another slot. Failed: the session stops."""

    reason: EndReason
    detail: str
    stage: str
    """Where the machine failed, of FAILED_STAGES; empty: what its stages say."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step was not done."""

    reason: str
    stage: str = "boot"
    """Where a machine failed, of FAILED_STAGES."""


@dataclass(frozen=True, slots=True)
class HoldGuest:
    """Attach to the keeper, and stay attached."""


@dataclass(frozen=True, slots=True)
class MoveDeadline:
    """Tell the keeper when to end the machine by itself."""

    deadline: int


@dataclass(frozen=True, slots=True)
class StartSignin:
    """Hand the pending flow to the guest's sign-in agent."""


@dataclass(frozen=True, slots=True)
class End:
    """Decide the end."""

    reason: EndReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DestroyMachine:
    """Take the machine down. Done: ended, or failed when the reason is one."""

    keep_folder: bool


@dataclass(frozen=True, slots=True)
class ClearRemains:
    """Remove what an interrupted creation left, so that it can begin again."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The machine would not go in time: failed; the sweep goes on trying to remove it."""


@dataclass(frozen=True, slots=True)
class PurgeFolder:
    """Remove a failed machine's folder: its time of inspection is over."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete the row of a session that was over long ago."""


Step = (
    Become
    | TakeMachine
    | ClaimMachine
    | CreateMachine
    | ReplaceMachine
    | HoldGuest
    | MoveDeadline
    | StartSignin
    | End
    | DestroyMachine
    | ClearRemains
    | GiveUp
    | PurgeFolder
    | Forget
)
