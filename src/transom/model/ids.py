"""Names of things: a three-letter kind and 20 characters of base32, 100 random bits. Safe in a path."""

from __future__ import annotations

import base64
import re
import secrets

KINDS = ("ses", "usr", "tok", "flw", "per", "crd", "mch", "ext", "lnk")
PATTERN = re.compile(r"(?:" + "|".join(KINDS) + r")_[a-z2-7]{20}")


def new_id(kind: str) -> str:
    """Return a fresh id such as `ses_k3v...`. Raises ValueError for a kind that does not exist."""
    if kind not in KINDS:
        raise ValueError(f"no such kind of id: {kind}")
    return f"{kind}_{base64.b32encode(secrets.token_bytes(13)).decode().lower()[:20]}"


def is_id(text: str, kind: str) -> bool:
    """True when `text` is an id of `kind`; everything else never reaches a query or a path."""
    return PATTERN.fullmatch(text) is not None and text.startswith(kind + "_")
