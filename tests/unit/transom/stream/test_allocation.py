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


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_real_relay_grants_and_refuses(transport: str) -> None:
    with coturn() as turn:
        url = f"turn:127.0.0.1:{turn.port}?transport={transport}"
        username, password = turn_credentials(turn.secret_file.read_text(), "somebody", 2_000_000_000)
        assert allocation(url, username, password).works
        refused = allocation(url, username, "wrong")
        assert not refused.works
        assert refused.refused
    assert not allocation(url, username, password).works
