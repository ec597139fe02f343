"""The vault: takes in sealed credentials without being able to read them, gives them to their own user only.

Sealing needs the public key alone. Opening needs the key-encryption key, fetched for that one call.
Every write and every read, also a refused one, is a line of the audit trail; a read's line is
committed before the content is handed out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from transom.model.clock import Clock
from transom.model.credential import Credential, CredentialFileContent
from transom.model.errors import Conflict, NotFound, TransomError, Unavailable, VaultError
from transom.model.ids import new_id
from transom.model.stores import CredentialStore
from transom.vault import envelope
from transom.vault.bundle import EMPTY_BYTES, MAX_BYTES, safe_paths, unpack
from transom.vault.keys import KeySource
from transom_wire.link import CredentialSealed
from transom_wire.sealing import NONCE_BYTES, Sealed, SealError, identity, open_sealed

SYSTEM = "system"
"""The user of audit lines that no user caused."""
WRAPPED_KEY_BYTES = 32 + 32 + 16
"""HPKE's ephemeral key, the data key and its tag."""
TAG_BYTES = 16
EARLIEST_EXPIRY = 946_684_800_000
"""The year 2000. An expiry before it was read in the wrong unit."""
LATEST_EXPIRY_MS = 50 * 365 * 86_400_000
"""From now. An expiry after it means never, or nonsense."""


class VaultService:
    """Implements the Vault of `model/ports.py`."""

    def __init__(self, store: CredentialStore, keys: KeySource, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._making = asyncio.Lock()
        self._current: tuple[str, bytes] | None = None

    async def public_key(self) -> tuple[str, bytes]:
        """(key id, public key), made at first use. Raises VaultError, Unavailable.

        The first call also proves that the key-encryption key at hand opens what is about to be sealed.
        """
        async with self._making:
            if self._current is None:
                self._current = await self._prove() or await self._create()
            return self._current

    async def _prove(self) -> tuple[str, bytes] | None:
        held = await self._store.vault_keys()
        if not held:
            return None
        id, public, wrapped = held[0]
        if envelope.public_key(envelope.unwrap(await self._keys.load(), wrapped, id)) != public:
            raise VaultError("the vault's public key in the database was changed")
        return id, public

    async def _create(self) -> tuple[str, bytes]:
        kek = await self._keys.make()
        private = envelope.new_private_key()
        public = envelope.public_key(private)
        id = envelope.key_id(public)
        wrapped = envelope.wrap(kek, private, id)
        await self._store.add_vault_key(id=id, public=public, wrapped_private=wrapped, at=self._clock())
        await self._note(SYSTEM, "key.create", id, "done", {})
        return id, public

    async def accept(
        self, *, user: str, provider: str, session: str, message: CredentialSealed
    ) -> Credential:
        """Commit what a guest sealed; the same message again changes nothing. Raises VaultError, Unavailable."""
        detail = {"session": session, "flow": message.flow, "serial": str(message.serial)}
        try:
            await self._check(message)
            sealed = Sealed(message.wrapped_key, message.nonce, message.ciphertext)
            offered = Credential(
                id=new_id("crd"),
                user=user,
                provider=provider,
                session=session,
                generation=0,
                created_at=self._clock(),
                expires_at=self._plausible_expiry(message.expires_at),
                names=message.names,
                vault_key_id=message.vault_key_id,
                sealed=sealed,
                flow=message.flow,
                serial=message.serial,
            )
            saved = await self._store.add_credential(offered)
        except Unavailable:
            raise
        except TransomError as error:
            await self._note_refusal(user, "credential.store", provider, error, detail)
            if isinstance(error, Conflict | NotFound):
                raise VaultError(error.message, code=error.code) from None
            raise
        outcome = "done" if saved.id == offered.id else "repeated"
        detail |= {"generation": str(saved.generation)}
        await self._note(user, "credential.store", provider, outcome, detail)
        return saved

    async def listing(self, user: str) -> Sequence[Credential]:
        """The newest of each provider; sealed as it is, it reads nothing and leaves no line."""
        return await self._store.list_credentials(user)

    async def open(self, *, user: str, provider: str) -> Sequence[CredentialFileContent]:
        """The files, by path. Raises NotFound, VaultError, Unavailable."""
        try:
            held = await self._store.newest_credential(user, provider)
            if held is None:
                raise NotFound("no such credential")
            files = await self._open(held)
        except (NotFound, VaultError) as error:
            await self._note_refusal(user, "credential.open", provider, error, {})
            raise
        detail = {"generation": str(held.generation), "session": held.session}
        await self._note(user, "credential.open", provider, "done", detail)
        return files

    async def forget(self, *, user: str, provider: str) -> int:
        """Remove every generation; returns how many there were."""
        count = await self._store.delete_credentials(user, provider)
        outcome = "done" if count else "not_found"
        await self._note(user, "credential.forget", provider, outcome, {"generations": str(count)})
        return count

    async def _open(self, held: Credential) -> Sequence[CredentialFileContent]:
        wrapped = {id: wrapped for id, _, wrapped in await self._store.vault_keys()}
        if held.vault_key_id not in wrapped:
            raise VaultError("the vault key of this credential is gone")
        private = envelope.unwrap(await self._keys.load(), wrapped[held.vault_key_id], held.vault_key_id)
        owner = identity(user=held.user, provider=held.provider, session=held.session)
        try:
            files = unpack(open_sealed(private, held.sealed, owner.encode()))
        except SealError:
            raise VaultError("the credential cannot be opened: sign in again", code="unreadable") from None
        if {file.path for file in files} != set(held.names):
            raise VaultError("the credential is not what its row says: sign in again", code="unreadable")
        return files

    async def _check(self, message: CredentialSealed) -> None:
        if len(message.wrapped_key) != WRAPPED_KEY_BYTES or len(message.nonce) != NONCE_BYTES:
            raise VaultError("what the machine sealed has a wrong size", code="malformed")
        if not EMPTY_BYTES + TAG_BYTES < len(message.ciphertext) <= MAX_BYTES:
            raise VaultError("what the machine sealed is empty or too large", code="malformed")
        if not safe_paths(message.names):
            raise VaultError("what the machine sealed has file names that are not allowed", code="malformed")
        if message.vault_key_id not in {id for id, _, _ in await self._store.vault_keys()}:
            raise VaultError("what the machine sealed is for another vault", code="unknown_key")

    def _plausible_expiry(self, expires_at: int | None) -> int | None:
        # An expiry is only shown, so that a wrong one costs its display and not the sign-in. One that has
        # passed is kept: the tool refreshes, and the message may have waited for the controller.
        if expires_at is None or expires_at < EARLIEST_EXPIRY:
            return None
        return expires_at if expires_at <= self._clock() + LATEST_EXPIRY_MS else None

    async def _note_refusal(
        self, user: str, action: str, subject: str, error: TransomError, detail: Mapping[str, str]
    ) -> None:
        with contextlib.suppress(Unavailable):
            await self._note(user, action, subject, error.code, detail)

    async def _note(
        self, user: str, action: str, subject: str, outcome: str, detail: Mapping[str, str]
    ) -> None:
        await self._store.add_audit(
            at=self._clock(), user=user, action=action, subject=subject, outcome=outcome, detail=detail
        )
