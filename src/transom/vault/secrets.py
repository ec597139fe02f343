"""Small secrets of the operator's, as the passwords of exits: sealed to the vault's key like a credential.

A record is the vault key's id, a zero byte, the wrapped data key, the nonce and the ciphertext; the secret's
name is the associated data, so that one row's record does not open as another's. Changing the
key-encryption key rewraps vault keys only: records stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from transom.model.errors import VaultError
from transom.vault import envelope
from transom.vault.keys import KeySource
from transom_wire.sealing import NONCE_BYTES, Sealed, SealError, open_sealed, seal

WRAPPED_BYTES = 32 + 32 + 16
"""HPKE's ephemeral key, the data key and its tag."""
SECRET_LIMIT = 1024
"""Bytes of one secret."""


class VaultKeys(Protocol):
    """What is needed of the store."""

    async def vault_keys(self) -> Sequence[tuple[str, bytes, bytes]]:
        """(id, public, wrapped private), newest first."""


class PublicKey(Protocol):
    """What is needed of the vault."""

    async def public_key(self) -> tuple[str, bytes]:
        """(key id, public key) to seal to. Raises VaultError."""


class SecretRecords:
    """Implements SecretBox of `model/ports.py`. Sealing needs the public key alone."""

    def __init__(self, store: VaultKeys, keys: KeySource, vault: PublicKey) -> None:
        self._store, self._keys, self._vault = store, keys, vault

    async def seal_secret(self, name: str, secret: bytes) -> bytes:
        """A record that opens only by this vault's key, and only as `name`. Raises VaultError."""
        if len(secret) > SECRET_LIMIT:
            raise VaultError(f"a secret is longer than {SECRET_LIMIT} bytes", code="too_large")
        id, public = await self._vault.public_key()
        sealed = seal(public, secret, _bound_to(name))
        return id.encode() + b"\0" + sealed.wrapped_key + sealed.nonce + sealed.ciphertext

    async def open_secrets(self, records: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """The secrets by name, the key fetched once for all; damaged ones are left out. Raises VaultError."""
        if not records:
            return {}
        kek = await self._keys.load()
        private = {id: envelope.unwrap(kek, wrapped, id) for id, _, wrapped in await self._store.vault_keys()}
        opened: dict[str, bytes] = {}
        for name, record in records.items():
            id, _, body = record.partition(b"\0")
            key = private.get(id.decode("ascii", "replace"))
            secret = _open(key, body, name) if key is not None else None
            if secret is not None:
                opened[name] = secret
        return opened


def _open(private: bytes, body: bytes, name: str) -> bytes | None:
    head, rest = body[:WRAPPED_BYTES], body[WRAPPED_BYTES:]
    try:
        return open_sealed(private, Sealed(head, rest[:NONCE_BYTES], rest[NONCE_BYTES:]), _bound_to(name))
    except (SealError, ValueError):
        return None


def _bound_to(name: str) -> bytes:
    return json.dumps({"secret": name, "v": 1}, sort_keys=True, separators=(",", ":")).encode()
