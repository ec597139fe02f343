from __future__ import annotations

import json
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.egress.answer import KEYS, LIMIT, BadAnswer, read_address


@pytest.mark.parametrize(
    ("body", "address"),
    [
        (b"203.0.113.7", "203.0.113.7"),
        (b" 203.0.113.7\r\n", "203.0.113.7"),
        (b"2001:DB8:0::7\n", "2001:db8::7"),
        (b"::ffff:203.0.113.7", "203.0.113.7"),
        (b'{"ip": "203.0.113.7"}', "203.0.113.7"),
        (b'{"origin": "203.0.113.7 ", "x": 1}', "203.0.113.7"),
    ],
)
def test_what_services_answer(body: bytes, address: str) -> None:
    assert read_address(body) == address


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"127.0.0.1",
        b"0.0.0.0",
        b"::",
        b"224.0.0.1",
        b"169.254.1.1",
        b"fe80::1%eth0",
        b"2001:db8::1%eth0",
        b"203.0.113.7, 10.0.0.1",
        b"<html>203.0.113.7</html>",
        b"203.0.113.07",
        b"\xff\xfe",
        b"{",
        b'{"ip": 7}',
        b'{"ip": {"a": 1}}',
        b"[" * 4000,
        b'{"ip": ' * 500,
        b"2" * (LIMIT + 1),
    ],
)
def test_what_is_no_address_is_none_and_is_not_quoted(body: bytes) -> None:
    with pytest.raises(BadAnswer) as refused:
        read_address(body)
    assert len(str(refused.value)) < 80
    assert "203" not in str(refused.value)


@given(st.binary(max_size=200))
def test_whatever_comes_it_is_an_address_or_none(body: bytes) -> None:
    try:
        address = read_address(body)
    except BadAnswer:
        return
    assert str(ip_address(address)) == address


@given(
    st.dictionaries(
        st.sampled_from([*KEYS, "other"]), st.one_of(st.text(max_size=20), st.integers(), st.none())
    )
)
def test_whatever_object_comes(found: dict[str, object]) -> None:
    try:
        assert ip_address(read_address(json.dumps(found).encode()))
    except BadAnswer:
        return
