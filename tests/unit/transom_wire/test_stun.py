from __future__ import annotations

import hashlib
import hmac

import pytest
from aioice import stun as aioice
from hypothesis import given
from hypothesis import strategies as st

from transom_wire.stun import (
    MAX_ATTRIBUTES,
    MAX_BYTES,
    StunError,
    build_binding_request,
    is_binding_request,
    parse_binding_request,
)

GUEST, VIEWER, PASSWORD = "guestUfrag", "view/+12", "p" * 24


def check(**changes: object) -> bytes:
    values: dict[str, object] = {"guest_ufrag": GUEST, "viewer_ufrag": VIEWER, "password": PASSWORD}
    return build_binding_request(**{**values, **changes})  # type: ignore[arg-type]


def attribute(name: int, value: bytes) -> bytes:
    return name.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)


def message(*attributes: bytes, kind: int = 1) -> bytes:
    body = b"".join(attributes)
    return kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + bytes(12) + body


def signed(before: bytes, password: str = PASSWORD) -> bytes:
    """`before` (a message) with MESSAGE-INTEGRITY, made without the code under test."""
    longer = before[:2] + (len(before) - 20 + 24).to_bytes(2, "big") + before[4:]
    return longer + attribute(0x0008, hmac.digest(password.encode(), longer, hashlib.sha1))


NAME = attribute(0x0006, f"{GUEST}:{VIEWER}".encode())


@pytest.mark.parametrize("fingerprint", [True, False])
@pytest.mark.parametrize("use_candidate", [True, False])
def test_a_check_is_read_and_proves_itself(fingerprint: bool, use_candidate: bool) -> None:
    request = parse_binding_request(
        check(fingerprint=fingerprint, use_candidate=use_candidate, transaction=b"t" * 12)
    )
    assert (request.guest_ufrag, request.viewer_ufrag, request.transaction) == (GUEST, VIEWER, b"t" * 12)
    assert request.use_candidate is use_candidate
    assert request.proves(PASSWORD)
    assert not request.proves(PASSWORD + "x")
    assert not request.proves("")


def test_aioice_accepts_what_ours_builds() -> None:
    got = aioice.parse_message(check(use_candidate=True))
    assert got.check_message_integrity(PASSWORD.encode())
    assert got.attributes["USERNAME"] == f"{GUEST}:{VIEWER}"
    assert "USE-CANDIDATE" in got.attributes and "ICE-CONTROLLING" in got.attributes


def test_what_aioice_builds_is_accepted() -> None:
    sent = aioice.Message(message_method=aioice.Method.BINDING, message_class=aioice.Class.REQUEST)
    sent.attributes.update({"USERNAME": f"{GUEST}:{VIEWER}", "PRIORITY": 1, "ICE-CONTROLLING": 7})
    sent.attributes["USE-CANDIDATE"] = None
    sent.add_message_integrity(PASSWORD.encode())
    request = parse_binding_request(bytes(sent))
    assert request.proves(PASSWORD) and request.use_candidate
    assert request.transaction == sent.transaction_id


def test_integrity_is_that_of_the_rfc() -> None:
    assert parse_binding_request(signed(message(NAME))).proves(PASSWORD)


def test_the_first_username_counts() -> None:
    other = attribute(0x0006, b"someone:else")
    assert parse_binding_request(signed(message(NAME, other))).guest_ufrag == GUEST


def test_nothing_after_the_integrity_has_a_meaning() -> None:
    whole = signed(message(NAME))
    appended = whole + attribute(0x0025, b"") + attribute(0x0006, b"someone:else")
    appended = appended[:2] + (len(appended) - 20).to_bytes(2, "big") + appended[4:]
    request = parse_binding_request(appended)
    assert request.proves(PASSWORD)
    assert not request.use_candidate and request.guest_ufrag == GUEST


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00",
        check()[:19],
        check()[:-1],
        check()[:-8],
        check() + b"\0\0\0\0",
        check() + bytes(MAX_BYTES),
        message(NAME),
        signed(message()),
        signed(message(NAME, kind=0x0101)),
        signed(message(NAME, kind=0x0011)),
        signed(message(NAME, kind=0x0003)),
        signed(message(attribute(0x0006, b"guestUfrag"))),
        signed(message(attribute(0x0006, b"guest:view:more"))),
        signed(message(attribute(0x0006, b"gue:view"))),
        signed(message(attribute(0x0006, b"guest ufrag:viewer"))),
        signed(message(attribute(0x0006, b"gu\xc3\xa9st:viewer"))),
        signed(message(attribute(0x0006, b"a" * 257 + b":viewer"))),
        signed(message(NAME, *[attribute(0x8001, b"")] * MAX_ATTRIBUTES)),
        message(NAME, attribute(0x0008, bytes(16))),
        message(NAME, attribute(0x8028, bytes(4)), attribute(0x0008, bytes(20))),
        message(NAME, b"\x80\x01\x00\xff"),
        check()[:-1] + bytes([check()[-1] ^ 1]),
    ],
    ids=range(23),
)
def test_malformed(datagram: bytes) -> None:
    with pytest.raises(StunError):
        parse_binding_request(datagram)


@pytest.mark.parametrize("lead", [b"\x00\x01", b"\x00\x01\x00\x00\x21\x12\xa4\x42", b"\x01\x01" + bytes(30)])
def test_what_is_no_request_is_not_taken_for_one(lead: bytes) -> None:
    assert not is_binding_request(lead)


def test_a_request_is_taken_for_one() -> None:
    assert is_binding_request(check())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_check_or_a_stun_error(datagram: bytes) -> None:
    with pytest.raises(StunError):
        parse_binding_request(datagram)


@given(
    st.lists(
        st.tuples(st.sampled_from([0x0006, 0x0008, 0x0024, 0x0025, 0x8028, 0x802A]), st.binary(max_size=30))
    )
)
def test_any_attributes_are_a_check_or_a_stun_error(pairs: list[tuple[int, bytes]]) -> None:
    try:
        request = parse_binding_request(message(*[attribute(name, value) for name, value in pairs]))
    except StunError:
        return
    assert not request.proves(PASSWORD)


@given(st.data())
def test_one_flipped_bit_never_proves_itself(data: st.DataObject) -> None:
    datagram = bytearray(check(fingerprint=False, use_candidate=True))
    place = data.draw(st.integers(0, len(datagram) * 8 - 1))
    datagram[place // 8] ^= 1 << place % 8
    try:
        request = parse_binding_request(bytes(datagram))
    except StunError:
        return
    assert not request.proves(PASSWORD)


@given(st.integers(0, 200))
def test_a_truncated_check_is_refused(length: int) -> None:
    datagram = check()
    if length < len(datagram):
        with pytest.raises(StunError):
            parse_binding_request(datagram[:length])


def test_an_error_never_quotes_the_datagram() -> None:
    with pytest.raises(StunError) as raised:
        parse_binding_request(signed(message(attribute(0x0006, b"hunter2"))))
    assert "hunter2" not in str(raised.value)
