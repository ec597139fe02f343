"""The private key at rest."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.model.errors import VaultError
from transom.vault.envelope import key_id, new_private_key, public_key, unwrap, wrap

KEK = os.urandom(32)
PRIVATE = new_private_key()
ID = key_id(public_key(PRIVATE))
WRAPPED = wrap(KEK, PRIVATE, ID)


def test_what_is_wrapped_comes_back_and_is_not_in_it() -> None:
    assert unwrap(KEK, WRAPPED, ID) == PRIVATE
    assert PRIVATE not in WRAPPED
    assert wrap(KEK, PRIVATE, ID) != WRAPPED


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(VaultError) as refused:
        unwrap(os.urandom(32), WRAPPED, ID)
    assert refused.value.code == "wrong_kek"


def test_another_name_does_not_open_it() -> None:
    with pytest.raises(VaultError):
        unwrap(KEK, WRAPPED, "vk_" + "0" * 20)
    other = wrap(KEK, new_private_key(), ID)
    with pytest.raises(VaultError, match="named for"):
        unwrap(KEK, other, ID)


@given(st.integers(0, len(WRAPPED) - 1), st.integers(1, 255))
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    changed = bytearray(WRAPPED)
    changed[place] ^= change
    with pytest.raises(VaultError):
        unwrap(KEK, bytes(changed), ID)


@given(st.binary(max_size=100))
def test_nonsense_is_damage(wrapped: bytes) -> None:
    with pytest.raises(VaultError):
        unwrap(KEK, wrapped, ID)
