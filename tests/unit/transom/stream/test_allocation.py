"""Answers of TURN servers, well-formed and not; and a real coturn by UDP, TCP and TLS, before something like a door."""

from __future__ import annotations

import secrets
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.turn_server import coturn
from transom.stream.allocation import COOKIE, TurnError, by_relay, parse, read_url
from transom.stream.preflight import Target, place
from transom.stream.turn import turn_credentials
from transom_wire.stun import MAGIC_COOKIE, StunError, parse_binding_request

PASSWORD = secrets.token_hex(16)


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


@contextmanager
def door(*, first: int = 0, named: bytes | None = None) -> Iterator[tuple[Target, list[int]]]:
    """Something that answers whoever knows the guest's password, but not the `first` checks, and where checks came
    from. `named`: the transaction that its answers name, in place of the check's."""
    heard: list[int] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))

        def answers() -> None:
            while (got := bound.recvfrom(2048))[0] != b"over":
                with suppress(StunError):
                    check = parse_binding_request(got[0])
                    assert check.proves(PASSWORD)
                    heard.append(got[1][1])
                    if len(heard) > first:
                        bound.sendto(b"\x01\x01\0\0" + MAGIC_COOKIE + (named or check.transaction), got[1])

        thread = threading.Thread(target=answers)
        thread.start()
        try:
            yield Target(bound.getsockname(), "gggg", "vvvv", PASSWORD), heard
        finally:
            bound.sendto(b"over", bound.getsockname())
            thread.join()


KINDS = ("turn-udp", "turn-tcp", "turn-tls")


def test_a_check_of_the_door_goes_by_each_transport_or_the_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with coturn() as turn, door() as (target, heard):
        username, password = turn_credentials(turn.secret_file.read_text(), "somebody", 2_000_000_000)
        monkeypatch.setenv("SSL_CERT_FILE", str(turn.authority))
        for url, what in zip(turn.urls, KINDS, strict=True):
            heard.clear()
            granted = by_relay(url, username, password, target)
            assert (granted.what, granted.works) == (what, True), granted
            assert heard[0] in turn.relays
            assert f"-> 127.0.0.1:{heard[0]} -> {place(target.door)}, answered in" in granted.detail
            refused = by_relay(url, username, "wrong", target)
            assert (refused.works, refused.refused) == (False, "credentials")
        assert not by_relay(turn.urls[0], username, password, None).works, "without a door nothing is proved"
        monkeypatch.delenv("SSL_CERT_FILE")
        untrusted = by_relay(turn.urls[2], username, password, target)
        assert not untrusted.works
        assert "certificate" in untrusted.detail.lower()
    assert not any(by_relay(url, username, password, target).works for url in turn.urls)


def test_a_relay_that_grants_an_address_and_does_not_reach_the_door_does_not_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with coturn("denied-peer-ip=127.0.0.1") as turn, door() as (target, heard):
        username, password = turn_credentials(turn.secret_file.read_text(), "somebody", 2_000_000_000)
        monkeypatch.setenv("SSL_CERT_FILE", str(turn.authority))
        for url, what in zip(turn.urls, KINDS, strict=True):
            denied = by_relay(url, username, password, target)
            assert (denied.what, denied.works, denied.refused) == (what, False, "door"), denied
            assert denied.detail.endswith(f" -> {place(target.door)}: refused with 403")
        assert not heard
    with coturn() as turn, door(first=1_000) as (target, heard):
        username, password = turn_credentials(turn.secret_file.read_text(), "somebody", 2_000_000_000)
        silent = by_relay(turn.urls[0], username, password, target)
        assert (silent.works, silent.refused) == (False, "")
        assert silent.detail.endswith("no answer")
        assert len(heard) > 1


def test_what_answers_another_s_check_proves_nothing() -> None:
    with coturn() as turn, door(named=bytes(12)) as (target, heard):
        username, password = turn_credentials(turn.secret_file.read_text(), "somebody", 2_000_000_000)
        found = by_relay(turn.urls[0], username, password, target)
        assert heard
        assert (found.works, found.refused) == (False, "")
        assert found.detail.endswith("no answer")


def test_a_check_that_is_lost_on_the_way_is_sent_again() -> None:
    with coturn() as turn, door(first=2) as (target, _):
        username, password = turn_credentials(turn.secret_file.read_text(), "somebody", 2_000_000_000)
        assert by_relay(turn.urls[0], username, password, target).works
