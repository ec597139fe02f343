"""The vault's X25519 private key at rest: wrapped with AES-256-GCM under the key-encryption key.

A wrapped key is a version byte, a 12-byte nonce and 48 bytes of ciphertext; its id is the associated
data, and is itself derived from the public key, so that neither can be exchanged for another's.
"""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from transom.model.errors import VaultError

KEK_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12
_WRAPPED_BYTES = 1 + _NONCE_BYTES + 32 + 16


def new_private_key() -> bytes:
    """32 fresh bytes."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public_key(private: bytes) -> bytes:
    """The 32 bytes to seal to."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def key_id(public: bytes) -> str:
    """The name of a vault key: `vk_` and 20 hex digits of its public key's SHA-256."""
    return "vk_" + hashlib.sha256(public).hexdigest()[:20]


def wrap(kek: bytes, private: bytes, id: str) -> bytes:
    """Return `private` so that only the holder of `kek` can use it."""
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + AESGCM(kek).encrypt(nonce, private, _associated(id))


def unwrap(kek: bytes, wrapped: bytes, id: str) -> bytes:
    """Return the private key. Raises VaultError when `kek` is another one, or the row was changed."""
    if len(wrapped) != _WRAPPED_BYTES or wrapped[:1] != _VERSION:
        raise VaultError("the vault key in the database is damaged")
    nonce, ciphertext = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
    try:
        private = AESGCM(kek).decrypt(nonce, ciphertext, _associated(id))
    except (InvalidTag, ValueError):
        raise VaultError(
            "this key-encryption key does not open the vault: bring back the key that it was made with",
            code="wrong_kek",
        ) from None
    if key_id(public_key(private)) != id:
        raise VaultError("the vault key in the database is not the one it is named for")
    return private


def _associated(id: str) -> bytes:
    return b"transom vault key v1 " + id.encode()
