"""Sealing what a sign-in left behind, before it leaves the machine. Nothing else in the guest sees the bytes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from transom_wire.sealing import Sealed, seal

BUNDLE_VERSION = 1


def bundle(files: Mapping[str, bytes]) -> bytes:
    """The plaintext that is sealed: `{"v": 1, "files": {path: base64}}`, paths relative to the home folder."""
    encoded = {path: base64.b64encode(body).decode("ascii") for path, body in sorted(files.items())}
    return json.dumps({"v": BUNDLE_VERSION, "files": encoded}, separators=(",", ":")).encode()


def seal_files(files: Mapping[str, bytes], *, public_key: bytes, identity: str) -> Sealed:
    """Seal `files` to the vault's public key (X25519, 32 bytes), bound to `identity`. Raises ValueError."""
    return seal(public_key, bundle(files), identity.encode())
