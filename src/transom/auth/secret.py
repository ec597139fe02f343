"""Secrets that sign somebody in: 256 random bits each, of which the store sees the SHA-256 only.

A database index finds the digest, so no comparison with a stored secret depends on how much of it was
guessed; and with 256 bits no slow hash is needed.
"""

from __future__ import annotations

import hashlib
import re
import secrets

KINDS = ("key", "cookie", "token")
_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    """43 characters that are safe in a URL, a header and a cookie."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> bytes | None:
    """The 32 bytes to store or look up, or None for what cannot be a secret of ours."""
    if not isinstance(secret, str) or _SHAPE.fullmatch(secret) is None:
        return None
    return hashlib.sha256(secret.encode("ascii")).digest()
