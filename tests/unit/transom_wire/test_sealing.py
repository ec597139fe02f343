from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from transom_wire import sealing
from transom_wire.sealing import Sealed, SealError, hpke_open, hpke_seal, identity, open_sealed, seal

PRIVATE = X25519PrivateKey.generate()
PRIVATE_BYTES, PUBLIC_BYTES = PRIVATE.private_bytes_raw(), PRIVATE.public_key().public_bytes_raw()
AAD = identity(user="usr_a", provider="codex", session="ses_b").encode()
SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)

# RFC 9180, A.1.1: DHKEM(X25519, HKDF-SHA256), the same for every AEAD.
VECTOR_EPHEMERAL = bytes.fromhex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736")
VECTOR_ENC = bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
VECTOR_RECIPIENT = bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
VECTOR_PUBLIC = bytes.fromhex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d")
VECTOR_SHARED = bytes.fromhex("fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc")


def test_the_kem_is_that_of_rfc_9180() -> None:
    own = X25519PrivateKey.from_private_bytes(VECTOR_EPHEMERAL)
    exchanged = own.exchange(X25519PublicKey.from_public_bytes(VECTOR_PUBLIC))
    assert sealing._shared_secret(exchanged, VECTOR_ENC + VECTOR_PUBLIC) == VECTOR_SHARED
    sealed = hpke_seal(VECTOR_PUBLIC, b"text", b"aad", VECTOR_EPHEMERAL)
    assert sealed[:32] == VECTOR_ENC
    assert hpke_open(VECTOR_RECIPIENT, sealed, b"aad") == b"text"


@given(st.binary(max_size=200))
def test_another_implementation_opens_what_ours_seals(plaintext: bytes) -> None:
    assert SUITE.decrypt(hpke_seal(PUBLIC_BYTES, plaintext, b""), PRIVATE, info=sealing._INFO) == plaintext


@given(st.binary(max_size=200))
def test_ours_opens_what_another_implementation_seals(plaintext: bytes) -> None:
    sealed = SUITE.encrypt(plaintext, PRIVATE.public_key(), info=sealing._INFO)
    assert hpke_open(PRIVATE_BYTES, sealed, b"") == plaintext


@given(st.binary(max_size=2000), st.binary(max_size=100))
def test_what_is_sealed_opens_with_its_own_key_and_identity(plaintext: bytes, aad: bytes) -> None:
    assert open_sealed(PRIVATE_BYTES, seal(PUBLIC_BYTES, plaintext, aad), aad) == plaintext


def test_nothing_repeats_and_nothing_shows() -> None:
    one, two = (seal(PUBLIC_BYTES, b"refresh-token-canary", AAD) for _ in range(2))
    assert {one.wrapped_key, one.nonce, one.ciphertext}.isdisjoint(
        {two.wrapped_key, two.nonce, two.ciphertext}
    )
    assert b"canary" not in one.wrapped_key + one.nonce + one.ciphertext


@pytest.mark.parametrize(
    "other",
    [
        identity(user="usr_x", provider="codex", session="ses_b"),
        identity(user="usr_a", provider="claude", session="ses_b"),
        identity(user="usr_a", provider="codex", session="ses_x"),
        "",
    ],
)
def test_a_record_does_not_open_as_anothers(other: str) -> None:
    with pytest.raises(SealError):
        open_sealed(PRIVATE_BYTES, seal(PUBLIC_BYTES, b"secret", AAD), other.encode())


def test_the_identity_of_the_record_guards_data_and_key_each() -> None:
    mine, theirs = seal(PUBLIC_BYTES, b"mine", AAD), seal(PUBLIC_BYTES, b"theirs", b"other")
    for mixed in (replace(mine, wrapped_key=theirs.wrapped_key), replace(mine, ciphertext=theirs.ciphertext)):
        with pytest.raises(SealError):
            open_sealed(PRIVATE_BYTES, mixed, AAD)


def test_another_key_does_not_open_it() -> None:
    stranger = X25519PrivateKey.generate().private_bytes_raw()
    with pytest.raises(SealError):
        open_sealed(stranger, seal(PUBLIC_BYTES, b"secret", AAD), AAD)


@given(st.data())
def test_one_flipped_bit_anywhere_is_found(data: st.DataObject) -> None:
    sealed = seal(PUBLIC_BYTES, b"secret", AAD)
    part = data.draw(st.sampled_from(["wrapped_key", "nonce", "ciphertext"]))
    blob = bytearray(getattr(sealed, part))
    place = data.draw(st.integers(0, len(blob) * 8 - 1))
    blob[place // 8] ^= 1 << place % 8
    # X25519 ignores the top bit of a public key (RFC 7748, 5), but HPKE binds the key's every bit.
    with pytest.raises(SealError):
        open_sealed(PRIVATE_BYTES, replace(sealed, **{part: bytes(blob)}), AAD)


@given(st.binary(max_size=100), st.binary(max_size=20), st.binary(max_size=100))
def test_garbage_is_a_seal_error(wrapped: bytes, nonce: bytes, ciphertext: bytes) -> None:
    with pytest.raises(SealError):
        open_sealed(PRIVATE_BYTES, Sealed(wrapped, nonce, ciphertext), AAD)


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32])
def test_a_point_without_a_secret_is_refused(point: bytes) -> None:
    with pytest.raises(SealError):
        hpke_open(PRIVATE_BYTES, point + bytes(48), AAD)


def test_identities_cannot_be_confused() -> None:
    assert identity(user="a", provider="b", session="c") == '{"provider":"b","session":"c","user":"a","v":1}'
    assert identity(user='a","v":2', provider="b", session="c") != identity(
        user="a", provider="b", session="c"
    )
