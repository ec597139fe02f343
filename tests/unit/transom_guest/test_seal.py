"""The bundle, and that only the right key and the right identity open it."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from transom_guest.seal import bundle, seal_files
from transom_wire.sealing import SealError, open_sealed

FILES = {"b/two.json": b"\x00\xff", "a/one.json": b"{}"}


def test_the_bundle_is_what_the_vault_unpacks() -> None:
    body = json.loads(bundle(FILES))
    assert body == {
        "v": 1,
        "files": {"a/one.json": "e30=", "b/two.json": base64.b64encode(b"\x00\xff").decode()},
    }


def test_sealed_opens_with_key_and_identity_only() -> None:
    key, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    sealed = seal_files(FILES, public_key=key.public_key().public_bytes_raw(), identity="me")
    assert open_sealed(key.private_bytes_raw(), sealed, b"me") == bundle(FILES)
    for wrong in ((key, b"you"), (other, b"me")):
        with pytest.raises(SealError):
            open_sealed(wrong[0].private_bytes_raw(), sealed, wrong[1])
