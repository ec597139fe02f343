"""Changes the key-encryption key: every vault key is wrapped anew, all or none; no credential is touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from transom.model.clock import Clock
from transom.model.errors import Conflict
from transom.model.stores import CredentialStore
from transom.vault.envelope import unwrap, wrap
from transom.vault.keys import KeySource
from transom.vault.service import SYSTEM


class RewrapStore(CredentialStore, Protocol):
    """A store that can exchange wrapped keys in one transaction."""

    async def rewrap_vault_keys(self, rewrapped: Sequence[tuple[str, bytes, bytes]]) -> bool:
        """Replace wrapped keys, given as (id, seen, new); False when one has moved meanwhile."""


async def rewrap(store: RewrapStore, old: KeySource, new: KeySource, clock: Clock) -> int:
    """Return how many vault keys now need `new`. Raises VaultError, Conflict, Unavailable.

    `new` is made if it does not exist. The old key is useless afterwards, except for older backups.
    """
    before = await old.load()
    held = await store.vault_keys()
    private = [(id, wrapped, unwrap(before, wrapped, id)) for id, _, wrapped in held]
    after = await new.make()
    if not await store.rewrap_vault_keys([(id, seen, wrap(after, key, id)) for id, seen, key in private]):
        raise Conflict("another program changed the vault's keys meanwhile: try again")
    await store.add_audit(
        at=clock(),
        user=SYSTEM,
        action="key.rewrap",
        subject="vault",
        outcome="done",
        detail={"keys": str(len(held))},
    )
    return len(held)
