from __future__ import annotations

import base64
from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper.upstream_dialogue import UpstreamError
from transom_keeper.upstream_http import MAX_ANSWER, ConnectDialogue, basic_login
from transom_wire.exit import EXIT_FAULTS, SITE_FAULTS

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"


def asked(login: bytes | None = None) -> ConnectDialogue:
    dialogue = ConnectDialogue("site.example", 443, login)
    dialogue.begin()
    return dialogue


def cause_of(*pieces: bytes) -> tuple[str, str]:
    dialogue = asked()
    with pytest.raises(UpstreamError) as raised:
        for piece in pieces:
            dialogue.take(piece)
    assert not dialogue.done
    return raised.value.cause, raised.value.detail


def test_the_request_names_the_site_and_brings_the_login() -> None:
    login = basic_login("user:x", "pä:ss")
    assert base64.b64decode((login or b"").removeprefix(b"Basic ")).decode() == "user:x:pä:ss"
    told = ConnectDialogue("site.example", 8443, login).begin()
    assert told.startswith(b"CONNECT site.example:8443 HTTP/1.1\r\nHost: site.example:8443\r\n")
    assert b"\r\nProxy-Authorization: " + (login or b"") + b"\r\n" in told and told.endswith(b"\r\n\r\n")
    assert b"Authorization" not in ConnectDialogue("site.example", 1, basic_login(None, "x")).begin()


def test_an_address_of_version_6_stands_in_brackets() -> None:
    assert (
        ConnectDialogue(ip_address("2620:fe::fe"), 443, None)
        .begin()
        .startswith(b"CONNECT [2620:fe::fe]:443 ")
    )


@given(st.lists(st.integers(1, len(ESTABLISHED)), max_size=8), st.binary(max_size=50))
def test_the_answer_may_come_in_any_pieces_and_what_follows_it_is_kept(cuts: list[int], early: bytes) -> None:
    dialogue, whole = asked(), ESTABLISHED + early
    places = sorted({0, *cuts, len(whole)})
    late = b""
    for start, end in pairwise(places):
        if dialogue.done:
            late += whole[start:end]
        else:
            dialogue.take(whole[start:end])
    assert dialogue.done and dialogue.early + late == early


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_success_opens_the_tunnel_whatever_length_it_claims(status: int) -> None:
    dialogue = asked()
    dialogue.take(b"HTTP/1.1 %d OK\r\nContent-Length: 100\r\n\r\nfirst" % status)
    assert dialogue.done and dialogue.early == b"first"


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (407, "password"),
        (401, "password"),
        (402, "quota"),
        (429, "quota"),
        (509, "quota"),
        (403, "barred"),
        (405, "barred"),
        (400, "barred"),
        (501, "barred"),
        (301, "garbled"),
        (302, "garbled"),
        (404, "no_way"),
        (500, "no_way"),
        (502, "no_way"),
        (503, "no_way"),
        (504, "no_way"),
    ],
)
def test_refusals_have_causes(status: int, cause: str) -> None:
    answer = b"HTTP/1.1 %d Evil <b>words\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n" % status
    told = cause_of(answer)
    assert told[0] == cause and cause in EXIT_FAULTS + SITE_FAULTS
    assert "Evil" not in told[1] and "10.0.0.1" not in told[1]


@pytest.mark.parametrize(
    "pieces",
    [
        (b"",),
        (b"HTTP/1.1 200 OK\r\n", b""),
        (b"garbage\r\n\r\n",),
        (b"\x05\x00",) * 40000,
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n",),
        (b"\x16\x03\x01\x02\x00\r\n\r\n",),
        (b"HTTP/1.1 999 x\r\n\r\n",),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",),
        (b"HTTP/1.1 100 Continue\r\n\r\n",) * 20,
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2 * MAX_ANSWER,),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * MAX_ANSWER,),
        (b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",),
    ],
    ids=range(12),
)
def test_what_is_no_answer_is_garbled(pieces: tuple[bytes, ...]) -> None:
    assert cause_of(*pieces)[0] == "garbled"


def test_a_hundred_megabytes_of_headers_are_not_kept() -> None:
    dialogue, line = asked(), b"X: " + b"x" * 1000 + b"\r\n"
    dialogue.take(b"HTTP/1.1 200 OK\r\n")
    taken = 0
    with pytest.raises(UpstreamError):
        for _ in range(100_000):
            dialogue.take(line)
            taken += len(line)
    assert taken <= 2 * MAX_ANSWER


@given(
    st.lists(
        st.binary(max_size=200) | st.sampled_from([ESTABLISHED[:20], b"HTTP/1.1 ", b"\r\n"]), max_size=20
    )
)
def test_any_bytes_end_in_success_or_one_error(pieces: list[bytes]) -> None:
    dialogue = asked()
    try:
        for piece in pieces:
            if dialogue.done:
                break
            assert dialogue.take(piece) == b""
    except UpstreamError as error:
        assert error.cause in EXIT_FAULTS + SITE_FAULTS
