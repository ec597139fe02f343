"""Answers of TURN servers, well-formed and not; and a real coturn by UDP and TCP."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.turn_server import coturn
from transom.stream.allocation import COOKIE, TurnError, allocation, parse, read_url
from transom.stream.turn import turn_credentials


def answer(kind: int, body: bytes) -> bytes:
    return struct.pack("!HHI12s", kind, len(body), COOKIE, bytes(12)) + body


def test_success_and_an_error_code() -> None:
    assert parse(answer(0x0103, b""))[0] == 0
    code, found = parse(answer(0x0113, b"\0\x09\0\x04\0\0\x04\x01\0\x14\0\x01r\0\0\0"))
    assert code == 401
    assert found[0x14] == b"r"


@given(st.binary(max_size=200) | st.binary(max_size=120).map(lambda body: answer(0x0113, body)))
def test_whatever_comes_is_an_answer_or_refused(data: bytes) -> None:
    with suppress(TurnError):
        code, _ = parse(data)
        assert code == 0 or 300 <= code <= 699


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("turn:relay.example", ("turn", "relay.example", 3478, "udp")),
        ("turn:relay.example:80?transport=tcp", ("turn", "relay.example", 80, "tcp")),
        ("turns:[2001:db8::1]?transport=tcp", ("turns", "2001:db8::1", 5349, "tcp")),
    ],
)
def test_a_url_is_read(url: str, read: tuple[str, str, int, str]) -> None:
    assert read_url(url) == read


def test_a_real_relay_grants_and_refuses_by_each_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    with coturn() as turn:
        username, password = turn_credentials(turn.secret_file.read_text(), "somebody", 2_000_000_000)
        monkeypatch.setenv("SSL_CERT_FILE", str(turn.authority))
        for url, what in zip(turn.urls, ("turn-udp", "turn-tcp", "turn-tls"), strict=True):
            granted, refused = allocation(url, username, password), allocation(url, username, "wrong")
            assert (granted.what, granted.works) == (what, True), granted
            assert not refused.works
            assert refused.refused
        monkeypatch.delenv("SSL_CERT_FILE")
        untrusted = allocation(turn.urls[2], username, password)
        assert not untrusted.works
        assert "certificate" in untrusted.detail.lower()
    assert not any(allocation(url, username, password).works for url in turn.urls)
