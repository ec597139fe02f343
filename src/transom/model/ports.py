"""Where capabilities meet. Services above know these shapes only; `app.py` puts the real parts in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Protocol

from transom.model.alert import Alert
from transom.model.credential import Credential, CredentialFileContent
from transom.model.exit import Counted, Decision, Exit, Health, Lists, Pool
from transom.model.machine import DriverFlags, Machine, MachineSpec, MachineState, Probe
from transom.model.quality import QualityRow
from transom.model.recording import Recording
from transom.model.session import Session, Signin
from transom.model.user import Role, User
from transom_wire.control import ControllerMessage, KeeperMessage, Snapshot
from transom_wire.exit import ExitRoute
from transom_wire.link import CredentialSealed, SigninState, ToGuestMessage


class KeeperChannel(Protocol):
    """The controller's connection to one keeper. `snapshot` is what the keeper knew when it was made."""

    snapshot: Snapshot

    async def send(self, message: ControllerMessage) -> None:
        """Send, within a deadline. Raises Unavailable when the keeper is gone."""

    def messages(self) -> AsyncIterator[KeeperMessage]:
        """What the keeper says, until it is gone; then the iterator ends."""

    async def close(self) -> None:
        """Let go of the keeper; the machine lives on."""


class Driver(Protocol):
    """How machines are made; `drivers/contract.py` says in prose what each call promises."""

    name: str
    flags: DriverFlags

    async def probe(self) -> Probe:
        """Say whether this host can."""

    async def prepare(self, image: str) -> None:
        """Save what makes machines of `image` start faster (a snapshot). Idempotent; may take minutes; the rest
        works without. Raises DriverError."""

    async def sweep(self, images: Collection[str]) -> None:
        """Remove what was kept for images that are not among these digests, or for an earlier transom's guest, and
        that no machine needs. Idempotent; never raises."""

    async def create(self, spec: MachineSpec) -> None:
        """Make the machine; return once its keeper answers. Idempotent. Raises DriverError."""

    async def observe(self) -> Mapping[str, MachineState]:
        """Every machine this driver finds on its hosts, orphans included, by machine id."""

    async def attach(self, machine: str) -> KeeperChannel:
        """Become the machine's controller. Raises Unavailable when no keeper answers."""

    async def open_stream(self, machine: str, kind: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A raw byte stream to the machine's `vnc`. Raises Unavailable."""

    async def destroy(self, machine: str, *, keep_folder: bool) -> None:
        """End the machine and remove what it left; the folder with its logs only on request stays. Idempotent."""

    async def purge(self, machine: str) -> None:
        """Remove a kept folder. Idempotent."""


class Egress(Protocol):
    """How users leave for the internet."""

    async def route(self, user: str, provider: str | None = None) -> ExitRoute:
        """The route for this user's machines now, on which `provider` is signed in to: their lease, made if they
        have none. Never raises: a user for whom there is no exit gets kind `none` with the reason."""


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
        """Keep what a failed machine wrote."""

    async def machine_log(self, machine: str) -> str | None: ...

    async def prune_machines(self, *, before: int) -> int:
        """Forget machines that were over before then, and their logs; how many."""


class MachineLogs(Protocol):
    """What machines wrote, as far as a driver's host still has it."""

    async def read(self, machine: str) -> str:
        """The ends of its logs, bounded; empty when there are none. Never raises for a machine's doing."""


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


class Vault(Protocol):
    """Keeps credentials that it can take in without being able to read them."""

    async def public_key(self) -> tuple[str, bytes]:
        """(key id, X25519 public key) to seal to."""

    async def accept(
        self, *, user: str, provider: str, session: str, message: CredentialSealed
    ) -> Credential:
        """Commit what a guest sealed. Raises VaultError."""

    async def listing(self, user: str) -> Sequence[Credential]: ...

    async def open(self, *, user: str, provider: str) -> Sequence[CredentialFileContent]:
        """The files, for their own user. Raises NotFound, VaultError."""

    async def forget(self, *, user: str, provider: str) -> int: ...


class GuestSender(Protocol):
    """The way to a session's guest."""

    async def send(self, session: str, role: str, message: ToGuestMessage) -> bool:
        """Send to the guest's `role`; False when its keeper cannot be reached now."""


class SigninDesk(Protocol):
    """What sessions need of sign-ins: each call returns the Signin to store, or None for no change."""

    def knows(self, provider: str) -> bool:
        """True for a provider in the catalog."""

    def new_flow(self, provider: str) -> Signin:
        """A pending flow. Raises Invalid for a provider that does not exist."""

    async def start(self, session: Session) -> Signin | None:
        """Send SigninStart for the session's pending flow; stage becomes starting once it was sent."""

    async def received(self, session: Session, message: SigninState | CredentialSealed) -> Signin | None:
        """Take in what the guest's sign-in agent says; a credential is in the vault when this returns."""

    async def cancel(self, session: Session) -> Signin | None:
        """Cancel the session's flow, if one is under way."""


class SecretBox(Protocol):
    """Keeps small secrets of the operator's, as exits' passwords: sealed at rest, opened for use."""

    async def seal_secret(self, name: str, secret: bytes) -> bytes:
        """A record that only this vault opens, and only under this name. Raises VaultError."""

    async def open_secrets(self, records: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """The secrets by name; those that cannot be opened are left out. Raises VaultError."""


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


class AlertSink(Protocol):
    """Takes in what an operator should know."""

    async def raised(self, alert: Alert) -> None:
        """Keep it and tell whoever is to be told. Never raises."""


class KeeperSender(Protocol):
    """The way to the keepers of living sessions."""

    async def tell(self, session: str, message: ControllerMessage) -> bool:
        """Send to the session's keeper; False when it cannot be reached now."""
