"""Sealing in the guest, opening in the vault.

A fresh data key encrypts the credential (AES-256-GCM), and is itself sealed to the vault's X25519
public key with HPKE's base mode (RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM).
The record's identity is the associated data of both, so that a sealed record opened as another
user's, or another provider's, fails. Whoever holds only the public key can write and never read.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
_INFO = b"transom credential v1"
_KEM_ID = (0x0020).to_bytes(2, "big")
_SUITE = b"HPKE" + _KEM_ID + (0x0001).to_bytes(2, "big") + (0x0002).to_bytes(2, "big")
_KEM_SUITE = b"KEM" + _KEM_ID


class SealError(ValueError):
    """The record cannot be opened: another key, another identity, or damage. Says no more than that."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed record: `wrapped_key` is HPKE's `enc` (32 bytes) and the data key's ciphertext."""

    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes


def identity(*, user: str, provider: str, session: str) -> str:
    """The canonical text that binds a record to its owner; used as associated data."""
    return json.dumps(
        {"provider": provider, "session": session, "user": user, "v": 1},
        sort_keys=True,
        separators=(",", ":"),
    )


def seal(public_key: bytes, plaintext: bytes, aad: bytes) -> Sealed:
    """Seal `plaintext` so that only the holder of the private key can open it, and only with `aad`."""
    data_key, nonce = os.urandom(KEY_BYTES), os.urandom(NONCE_BYTES)
    ciphertext = AESGCM(data_key).encrypt(nonce, plaintext, aad)
    return Sealed(hpke_seal(public_key, data_key, aad), nonce, ciphertext)


def open_sealed(private_key: bytes, sealed: Sealed, aad: bytes) -> bytes:
    """Return the plaintext. Raises SealError."""
    data_key = hpke_open(private_key, sealed.wrapped_key, aad)
    try:
        return AESGCM(data_key).decrypt(sealed.nonce, sealed.ciphertext, aad)
    except (InvalidTag, ValueError) as error:
        raise SealError("the record cannot be opened") from error


def hpke_seal(public_key: bytes, plaintext: bytes, aad: bytes, ephemeral: bytes | None = None) -> bytes:
    """HPKE SealBase with one message: `enc || ct`. `ephemeral` is for test vectors only."""
    own = X25519PrivateKey.from_private_bytes(ephemeral) if ephemeral else X25519PrivateKey.generate()
    enc = own.public_key().public_bytes_raw()
    shared = _shared_secret(own.exchange(X25519PublicKey.from_public_bytes(public_key)), enc + public_key)
    key, nonce = _key_schedule(shared, _INFO)
    return enc + AESGCM(key).encrypt(nonce, plaintext, aad)


def hpke_open(private_key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """HPKE OpenBase of `enc || ct`. Raises SealError."""
    own = X25519PrivateKey.from_private_bytes(private_key)
    enc, ciphertext = sealed[:32], sealed[32:]
    try:
        exchanged = own.exchange(X25519PublicKey.from_public_bytes(enc))
        key, nonce = _key_schedule(
            _shared_secret(exchanged, enc + own.public_key().public_bytes_raw()), _INFO
        )
        return AESGCM(key).decrypt(nonce, ciphertext, aad)
    except (InvalidTag, ValueError) as error:
        raise SealError("the record cannot be opened") from error


def _extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, hashlib.sha256).digest()


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    out, block = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.new(prk, block + labeled + bytes([counter]), hashlib.sha256).digest()
        out += block
    return out[:length]


def _shared_secret(exchanged: bytes, kem_context: bytes) -> bytes:
    prk = _extract(_KEM_SUITE, b"", b"eae_prk", exchanged)
    return _expand(_KEM_SUITE, prk, b"shared_secret", kem_context, 32)


def _key_schedule(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    context = b"\x00" + _extract(_SUITE, b"", b"psk_id_hash", b"") + _extract(_SUITE, b"", b"info_hash", info)
    secret = _extract(_SUITE, shared_secret, b"secret", b"")
    return _expand(_SUITE, secret, b"key", context, 32), _expand(_SUITE, secret, b"base_nonce", context, 12)
