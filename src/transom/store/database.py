"""The store: sessions, users and credentials in SQLite or PostgreSQL, behind the ports of `model/stores.py`.

Every call is one transaction, committed when it returns, with a deadline. Unavailable means: nothing is
known to be wrong with the data; try again after `retry_after` seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from transom.model.credential import Credential
from transom.model.errors import Unavailable
from transom.model.machine import Machine
from transom.model.session import Session
from transom.model.user import Role, User
from transom.store import credentials, machines, sessions, users
from transom.store.engine import in_memory, prepare_file, read_url
from transom.store.exit_store import ExitRows
from transom.store.links import LinkRows
from transom.store.quality import QualityRows
from transom.store.recordings import RecordingRows
from transom.store.schema import prepare_schema
from transom.store.transactions import Transactions

WAIT_MS = 4000
"""How long a call waits for somebody else's lock."""
OPEN_SECONDS = 60
"""How long bringing the schema up may take."""
USE_INTERVAL_MS = 60_000
"""`last_used_at` of a secret is this coarse, so that a request does not cost a write."""


class Store:
    """Implements the store ports but those of its parts. `url`: sqlite:///PATH or postgresql://..."""

    def __init__(self, url: str, *, wait_ms: int = WAIT_MS) -> None:
        self._url = read_url(url)
        self._wait_ms = wait_ms
        self._transactions: Transactions | None = None
        self._noting: set[str] = set()
        self._noting_lock = threading.Lock()
        self.exits = ExitRows(lambda: self._db)
        """Exits, leases and alerts."""
        self.quality = QualityRows(lambda: self._db)
        """What pictures were like."""
        self.links = LinkRows(lambda: self._db)
        """Links into sessions, and who is in them."""
        self.recordings = RecordingRows(lambda: self._db)
        """Recordings of sessions."""

    async def open(self) -> None:
        """Connect, and migrate if the schema is older. Raises Unavailable, in words for the operator."""
        transactions = Transactions(self._url, self._wait_ms)
        try:
            await transactions.call(lambda: self._prepare(transactions), deadline_s=OPEN_SECONDS)
        except BaseException:
            await transactions.close()
            raise
        self._transactions = transactions

    def _prepare(self, transactions: Transactions) -> None:
        if self._url.get_backend_name() == "sqlite" and not in_memory(self._url):
            try:
                prepare_file(self._url)
            except OSError as error:
                raise Unavailable(f"the database file cannot be opened: {error.strerror}") from None
        prepare_schema(transactions.engine, wait_ms=self._wait_ms)

    async def close(self) -> None:
        """End what is under way and let go of the database. Idempotent."""
        transactions, self._transactions = self._transactions, None
        if transactions is not None:
            await transactions.close()

    @property
    def _db(self) -> Transactions:
        if self._transactions is None:
            raise Unavailable("the store is not open")
        return self._transactions

    # SessionStore

    async def add_session(self, session: Session, idempotency_key: str | None) -> Session:
        return await self._db.write(sessions.add_session, session, idempotency_key)

    async def session_by_key(self, user: str, idempotency_key: str) -> Session | None:
        return await self._db.read(sessions.session_by_key, user, idempotency_key)

    async def get_session(self, session: str) -> Session | None:
        return await self._db.read(sessions.get_session, session)

    async def list_sessions(self, *, user: str | None = None, living: bool = False) -> Sequence[Session]:
        return await self._db.read(sessions.list_sessions, user, living)

    async def save_session(self, session: Session, *, seen: Session) -> bool:
        return await self._db.write(sessions.save_session, session, seen)

    async def touch_session(self, session: str, at: int) -> None:
        await self._db.write(sessions.touch_session, session, at)

    async def delete_session(self, session: str) -> None:
        await self._db.write(sessions.delete_session, session)

    # MachineStore

    async def add_machine(self, machine: Machine) -> Machine:
        return await self._db.write(machines.add_machine, machine)

    async def get_machine(self, machine: str) -> Machine | None:
        return await self._db.read(machines.get_machine, machine)

    async def list_machines(self, *, living: bool, limit: int = 200) -> Sequence[Machine]:
        return await self._db.read(machines.list_machines, living, limit)

    async def save_machine(self, machine: Machine, *, seen: Machine) -> bool:
        return await self._db.write(machines.save_machine, machine, seen)

    async def take_parked(self, seen: Session, at: int, then: Callable[[Machine], Session]) -> Session | None:
        try:
            return await self._db.write(machines.take_parked, seen, at, then)
        except machines.Moved:
            return None

    async def machine_counts(self, *, since: int) -> Sequence[tuple[str, bool, str, str, int]]:
        return await self._db.read(machines.machine_counts, since)

    async def save_machine_log(self, machine: str, log: str) -> None:
        await self._db.write(machines.save_machine_log, machine, log)

    async def machine_log(self, machine: str) -> str | None:
        return await self._db.read(machines.machine_log, machine)

    async def prune_machines(self, *, before: int) -> int:
        return await self._db.write(machines.prune_machines, before)

    # UserStore

    async def add_user(self, user: User) -> None:
        await self._db.write(users.add_user, user)

    async def get_user(self, user: str) -> User | None:
        return await self._db.read(users.get_user, user)

    async def find_user(self, name: str) -> User | None:
        return await self._db.read(users.find_user, name)

    async def list_users(self, role: Role | None = None) -> Sequence[User]:
        return await self._db.read(users.list_users, role)

    async def delete_user(self, user: str) -> None:
        await self._db.write(users.delete_user, user)

    async def add_secret(
        self, *, id: str, kind: str, digest: bytes, user: str, label: str, at: int, expires_at: int | None
    ) -> None:
        await self._db.write(
            users.add_secret,
            id=id,
            kind=kind,
            digest=digest,
            user=user,
            label=label,
            at=at,
            expires_at=expires_at,
        )

    async def use_secret(self, *, kind: str, digest: bytes, at: int, once: bool) -> tuple[str, User] | None:
        if once:
            return await self._db.write(users.spend_secret, kind, digest, at)
        found = await self._db.read(users.find_secret, kind, digest, at)
        if found is None:
            return None
        secret, user, last_used_at = found
        if at - last_used_at >= USE_INTERVAL_MS:
            self._note_use(secret, at)
        return secret, user

    def _note_use(self, secret: str, at: int) -> None:
        # In the background: a locked or full disk must not sign anybody out.
        with self._noting_lock:
            if secret in self._noting:
                return
            self._noting.add(secret)
        self._db.write_later(
            lambda connection: users.note_use(connection, secret, at), lambda: self._noted(secret)
        )

    def _noted(self, secret: str) -> None:
        with self._noting_lock:
            self._noting.discard(secret)

    async def list_secrets(self, *, kind: str, user: str) -> Sequence[Mapping[str, object]]:
        return await self._db.read(users.list_secrets, kind, user)

    async def delete_secret(self, *, id: str, user: str | None) -> bool:
        return await self._db.write(users.delete_secret, id, user)

    # CredentialStore

    async def add_credential(self, credential: Credential) -> Credential:
        return await self._db.write(credentials.add_credential, credential)

    async def newest_credential(self, user: str, provider: str) -> Credential | None:
        return await self._db.read(credentials.newest_credential, user, provider)

    async def list_credentials(self, user: str) -> Sequence[Credential]:
        return await self._db.read(credentials.list_credentials, user)

    async def delete_credentials(self, user: str, provider: str) -> int:
        return await self._db.write(credentials.delete_credentials, user, provider)

    async def add_vault_key(self, *, id: str, public: bytes, wrapped_private: bytes, at: int) -> None:
        await self._db.write(credentials.add_vault_key, id, public, wrapped_private, at)

    async def vault_keys(self) -> Sequence[tuple[str, bytes, bytes]]:
        return await self._db.read(credentials.list_vault_keys)

    async def rewrap_vault_keys(self, rewrapped: Sequence[tuple[str, bytes, bytes]]) -> bool:
        """Replace wrapped keys, given as (id, seen, new), all or none; False when one has moved meanwhile."""
        return await self._db.write(credentials.rewrap_vault_keys, rewrapped)

    async def add_audit(
        self, *, at: int, user: str, action: str, subject: str, outcome: str, detail: Mapping[str, str]
    ) -> None:
        await self._db.write(credentials.add_audit, at, user, action, subject, outcome, detail)

    async def list_audit(self, *, user: str | None, limit: int) -> Sequence[Mapping[str, object]]:
        return await self._db.read(credentials.list_audit, user, limit)

    async def prune_audit(self, *, before: int) -> int:
        """Remove the lines older than `before` (Unix ms); returns how many there were."""
        return await self._db.write(credentials.prune_audit, before)
