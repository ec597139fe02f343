"""What is at rest, as services know it; `app.py` puts the real store in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from transom.model.alert import Alert
from transom.model.credential import Credential
from transom.model.exit import Counted, Decision, Exit, Health, Lists, Pool
from transom.model.machine import Machine
from transom.model.quality import QualityRow
from transom.model.recording import Recording
from transom.model.session import Session
from transom.model.user import Role, User


class SessionStore(Protocol):
    """Sessions at rest. Every call is one transaction. Raises Unavailable when the store cannot serve."""

    async def add_session(self, session: Session, idempotency_key: str | None) -> Session:
        """Write the intent; a known (user, idempotency key) returns the session that was written then."""

    async def session_by_key(self, user: str, idempotency_key: str) -> Session | None:
        """The session that this user's key wrote."""

    async def get_session(self, session: str) -> Session | None: ...

    async def list_sessions(self, *, user: str | None = None, living: bool = False) -> Sequence[Session]: ...

    async def save_session(self, session: Session, *, seen: Session) -> bool:
        """Write `session` where the row is still `seen` in state and end; False when it moved meanwhile."""

    async def touch_session(self, session: str, at: int) -> None:
        """A viewer's heartbeat."""

    async def delete_session(self, session: str) -> None:
        """Forget an ended session."""


class MachineStore(Protocol):
    """Machines at rest, living and over. Every call is one transaction. Raises Unavailable."""

    async def add_machine(self, machine: Machine) -> Machine:
        """Write the row with the smallest free slot in place of its own, one in which no earlier machine of its
        session was; a known id returns what is there."""

    async def get_machine(self, machine: str) -> Machine | None: ...

    async def list_machines(self, *, living: bool, limit: int = 200) -> Sequence[Machine]:
        """Newest first: those that are not over, or all."""

    async def save_machine(self, machine: Machine, *, seen: Machine) -> bool:
        """Write what differs from `seen` where the row's phase and session are still those; else False."""

    async def take_parked(self, seen: Session, at: int, then: Callable[[Machine], Session]) -> Session | None:
        """In one transaction: the oldest parked machine of `seen`'s driver and image becomes that session's,
        and the session what `then(machine)` says. None when there is none, or the session moved meanwhile."""

    async def machine_counts(self, *, since: int) -> Sequence[tuple[str, bool, str, str, int]]:
        """(driver, warm, outcome, failed stage, how many) of machines made since then; outcome "" is living."""

    async def save_machine_log(self, machine: str, log: str) -> None:
        """Keep what a machine wrote that failed, or of which a service crashed."""

    async def machine_log(self, machine: str) -> str | None: ...

    async def prune_machines(self, *, before: int) -> int:
        """Forget machines that were over before then, and their logs; how many."""


class UserStore(Protocol):
    """Users, their one-use keys, cookies and tokens: secrets are stored as SHA-256 only."""

    async def add_user(self, user: User) -> None: ...
    async def get_user(self, user: str) -> User | None: ...
    async def find_user(self, name: str) -> User | None: ...
    async def list_users(self, role: Role | None = None) -> Sequence[User]: ...
    async def delete_user(self, user: str) -> None: ...

    async def add_secret(
        self, *, id: str, kind: str, digest: bytes, user: str, label: str, at: int, expires_at: int | None
    ) -> None:
        """Store a secret's digest; `kind` is key, cookie or token."""

    async def use_secret(self, *, kind: str, digest: bytes, at: int, once: bool) -> tuple[str, User] | None:
        """The id and user of a live secret, or None; with `once` it is spent in the same transaction."""

    async def list_secrets(self, *, kind: str, user: str) -> Sequence[Mapping[str, object]]:
        """id, label, created_at, expires_at, last_used_at: nothing that signs in."""

    async def delete_secret(self, *, id: str, user: str | None) -> bool: ...


class Trail(Protocol):
    """The audit trail, for those who only write it. Raises Unavailable."""

    async def add_audit(
        self, *, at: int, user: str, action: str, subject: str, outcome: str, detail: Mapping[str, str]
    ) -> None:
        """One line. Never a secret."""


class CredentialStore(Trail, Protocol):
    """Sealed credentials, vault keys and the audit trail."""

    async def add_credential(self, credential: Credential) -> Credential:
        """Commit with the next generation of (user, provider); same session and same bytes: no new one."""

    async def newest_credential(self, user: str, provider: str) -> Credential | None: ...
    async def list_credentials(self, user: str) -> Sequence[Credential]:
        """The newest generation of each provider."""

    async def delete_credentials(self, user: str, provider: str) -> int: ...
    async def add_vault_key(self, *, id: str, public: bytes, wrapped_private: bytes, at: int) -> None: ...
    async def vault_keys(self) -> Sequence[tuple[str, bytes, bytes]]:
        """(id, public, wrapped private), newest first."""

    async def list_audit(self, *, user: str | None, limit: int) -> Sequence[Mapping[str, object]]: ...


class ExitStore(Protocol):
    """Exits and leases at rest. Every call is one transaction. Raises Unavailable."""

    async def pool(self) -> Pool: ...

    async def decide(self, plan: Callable[[Pool], Decision], *, at: int) -> tuple[Pool, Decision]:
        """Ask the pure `plan` about the pool as it is, and commit what it says, one decision at a time. Returns
        the pool as it is then, and the decision. A lease of a user who is gone is left out."""

    async def add(self, offered: Sequence[Exit]) -> tuple[int, int]:
        """Add those whose upstream is not there yet: how many (were added, were known)."""

    async def replace_sealed(self, sealed: Mapping[str, bytes | None]) -> None: ...

    async def remove(
        self, exit: str, plan: Callable[[Pool], Decision], *, at: int
    ) -> tuple[Pool, Decision] | None:
        """Decide about its users and remove it; None when it does not exist."""

    async def set_draining(self, exit: str, draining: bool) -> bool: ...
    async def save_health(self, fares: Mapping[str, Health]) -> None: ...
    async def save_address(self, exit: str, address: str, at: int) -> str | None:
        """Returns the address that was known before."""

    async def count(self, moved: Sequence[Counted]) -> None: ...
    async def counted_of(self, machine: str) -> Counted | None: ...
    async def usage(self, user: str | None) -> Sequence[Counted]: ...
    async def prune_usage(self, *, before: int) -> int: ...
    async def set_lists(self, kind: str, subject: str, lists: Lists | None) -> None: ...
    async def lists(self) -> Mapping[tuple[str, str], Lists]: ...


class QualityStore(Protocol):
    """What pictures were like, at rest. Every call is one transaction. Raises Unavailable."""

    async def add(self, rows: Sequence[QualityRow]) -> None:
        """Append; rows of sessions that are not known are left out, and a session's older ones merged."""

    async def of(self, session: str, *, since: int, limit: int) -> Sequence[QualityRow]:
        """The newest `limit` that ended at `since` or later, oldest first."""

    async def prune(self, *, before: int) -> int: ...


class RecordingStore(Protocol):
    """Recordings' rows at rest. Every call is one transaction. Raises Unavailable."""

    async def save_recording(self, recording: Recording) -> None:
        """Write the row, new or known."""

    async def get_recording(self, session: str) -> Recording | None: ...

    async def list_recordings(self, *, user: str | None) -> Sequence[Recording]:
        """Newest first; of everybody for None."""

    async def delete_recording(self, session: str) -> None: ...


class AlertStore(Protocol):
    """Alerts at rest."""

    async def add_alert(self, alert: Alert) -> int:
        """Returns its number."""

    async def list_alerts(self, limit: int) -> Sequence[Alert]:
        """Newest first."""

    async def acknowledge(self, number: int, *, by: str, at: int) -> bool:
        """False when there is none of that number."""
