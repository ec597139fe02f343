"""The cookie: where it may be set, how it is marked, how it is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.auth.cookies import PLAIN_NAME, cookie_form, read_cookie


def test_encrypted_connections_get_the_host_cookie() -> None:
    form = cookie_form(scheme="https", peer="203.0.113.9", host="desk.example")
    assert form is not None
    assert form.header("VALUE") == (
        "__Host-transom=VALUE; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax; Secure"
    )
    assert "Max-Age=0" in form.header("")


@pytest.mark.parametrize(("peer", "host"), [("127.0.0.1", "localhost:4000"), ("::1", "[::1]:4000")])
def test_plain_loopback_gets_the_development_cookie(peer: str, host: str) -> None:
    form = cookie_form(scheme="http", peer=peer, host=host)
    assert form is not None
    assert (form.name, form.secure) == (PLAIN_NAME, False)
    assert "Secure" not in form.header("VALUE")


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("203.0.113.9", "localhost:4000"),
        ("127.0.0.1", "desk.example"),
        ("203.0.113.9", "desk.example"),
        ("", "localhost"),
        ("127.0.0.1", ""),
        ("127.0.0.1", "localhost.evil.example"),
    ],
)
def test_a_cookie_never_travels_in_clear(peer: str, host: str) -> None:
    assert cookie_form(scheme="http", peer=peer, host=host) is None


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("transom-dev=abc", "abc"),
        ("a=b; transom-dev=abc; c=d", "abc"),
        ("a=b;transom-dev=a=b", "a=b"),
        ("transom-dev=", ""),
        ("", None),
        ("transom-dev", None),
        ("x-transom-dev=abc", None),
        ("Transom-Dev=abc", None),
        ("transom-dev=abc; transom-dev=planted", None),
        ("x=" + "y" * 9000 + "; transom-dev=abc", None),
    ],
)
def test_reading(header: str, found: str | None) -> None:
    assert read_cookie(header, PLAIN_NAME) == found


@given(st.text(max_size=200))
def test_no_header_breaks_the_reader(header: str) -> None:
    value = read_cookie(header, PLAIN_NAME)
    assert value is None or value in header
