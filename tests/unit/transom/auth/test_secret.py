"""Secrets and their digests."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from transom.auth.secret import digest_of, new_secret


def test_a_secret_is_256_random_bits_and_only_its_digest_is_kept() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(secret) == 43 for secret in made)
    secret = made.pop()
    assert digest_of(secret) == hashlib.sha256(secret.encode()).digest()


@given(st.text())
def test_what_is_no_secret_has_no_digest(text: str) -> None:
    digest = digest_of(text)
    assert digest is None or (len(text) == 43 and text.isascii())


def test_near_misses() -> None:
    secret = new_secret()
    for wrong in (secret + "\n", " " + secret, secret[:-1], secret + "a", secret[:-1] + "é", ""):
        assert digest_of(wrong) is None
