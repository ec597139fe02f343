from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_keeper.upstream_dialogue import UpstreamError
from transom_keeper.upstream_socks import SocksDialogue
from transom_wire.exit import EXIT_FAULTS, SITE_FAULTS

BOUND = b"\x05\x00\x00\x01\x09\x09\x09\x09\x12\x34"


def walk(dialogue: SocksDialogue, *replies: bytes) -> list[bytes]:
    """What is said, for these replies."""
    return [dialogue.begin(), *(dialogue.take(reply) for reply in replies)]


def anonymous(**options: Any) -> SocksDialogue:
    return SocksDialogue("site.example", 443, None, None, **options)


def named() -> SocksDialogue:
    return SocksDialogue("site.example", 443, "user", "pässword")


def cause_of(dialogue: SocksDialogue, *replies: bytes) -> tuple[str, str]:
    with pytest.raises(UpstreamError) as raised:
        walk(dialogue, *replies)
    assert not dialogue.done
    return raised.value.cause, raised.value.detail


def test_without_a_login() -> None:
    dialogue = anonymous()
    said = walk(dialogue, b"\x05\x00", BOUND + b"first")
    assert said == [b"\x05\x01\x00", b"\x05\x01\x00\x03\x0csite.example\x01\xbb", b""]
    assert dialogue.done and dialogue.early == b"first"


def test_with_a_login_nothing_else_is_offered() -> None:
    dialogue = named()
    said = walk(dialogue, b"\x05\x02", b"\x01\x00", BOUND)
    assert said[0] == b"\x05\x01\x02"
    assert said[1] == b"\x01\x04user\x09" + "pässword".encode()
    assert said[2].startswith(b"\x05\x01\x00\x03\x0csite.example")
    assert dialogue.done and dialogue.early == b""


def test_addresses_go_as_addresses() -> None:
    for host, written in (
        ("9.9.9.9", b"\x01\x09\x09\x09\x09"),
        ("2620:fe::fe", b"\x04" + ip_address("2620:fe::fe").packed),
    ):
        dialogue = SocksDialogue(ip_address(host), 80, None, None)
        assert walk(dialogue, b"\x05\x00")[1] == b"\x05\x01\x00" + written + b"\x00\x50"


@pytest.mark.parametrize(
    ("dialogue", "replies", "cause"),
    [
        (anonymous(), [b"\x05\xff"], "password"),
        (named(), [b"\x05\xff"], "password"),
        (named(), [b"\x05\x02", b"\x01\x01"], "password"),
        (named(), [b"\x05\x02", b"\x01\xff"], "password"),
        (named(), [b"\x05\x00"], "garbled"),
        (anonymous(), [b"\x05\x02"], "garbled"),
        (anonymous(), [b"\x05\x01"], "garbled"),
        (anonymous(), [b"\x04\x5a"], "garbled"),
        (anonymous(), [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "garbled"),
        (anonymous(), [b"\x05\x00\x05"], "garbled"),
        (named(), [b"\x05\x02\x01\x00"], "garbled"),
        (named(), [b"\x05\x02", b"\x01\x00\x05"], "garbled"),
        (anonymous(), [b""], "garbled"),
        (named(), [b"\x05\x02", b""], "garbled"),
        (anonymous(), [b"\x05\x00", b""], "garbled"),
        (anonymous(), [b"\x05\x00", b"\x05\x00\x00\x01\x09", b""], "garbled"),
        (anonymous(), [b"\x05\x00", b"\x04\x00"], "garbled"),
        (anonymous(), [b"\x05\x00", b"\x05\x00\x00\x02\x09\x09"], "garbled"),
        (anonymous(), [b"\x05\x00", b"\x05\x01"], "no_way"),
        (anonymous(), [b"\x05\x00", b"\x05\x02"], "barred"),
        (anonymous(), [b"\x05\x00", b"\x05\x03\x00"], "no_way"),
        (anonymous(), [b"\x05\x00", b"\x05\x04\x00\x01"], "no_way"),
        (anonymous(), [b"\x05\x00", b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"], "no_way"),
        (anonymous(), [b"\x05\x00", b"\x05\x06"], "no_way"),
        (anonymous(), [b"\x05\x00", b"\x05\x07"], "garbled"),
        (anonymous(), [b"\x05\x00", b"\x05\x08"], "no_way"),
        (anonymous(), [b"\x05\x00", b"\x05\x09"], "garbled"),
        (anonymous(), [b"\x05\x00", b"\x05\xff"], "garbled"),
    ],
)
def test_replies_of_every_wrong_kind(dialogue: SocksDialogue, replies: list[bytes], cause: str) -> None:
    assert cause_of(dialogue, *replies)[0] == cause


@pytest.mark.parametrize(
    "bound",
    [
        b"\x01\x7f\x00\x00\x01",
        b"\x01\x7f\x01\x02\x03",
        b"\x04" + ip_address("::1").packed,
        b"\x04" + ip_address("::ffff:127.0.0.1").packed,
    ],
)
def test_a_proxy_whose_own_end_is_its_loopback_has_reached_itself(bound: bytes) -> None:
    replies = (b"\x05\x00", b"\x05\x00\x00" + bound + b"\x00\x50")
    assert cause_of(anonymous(), *replies) == ("address", "loopback")
    near = anonymous(judge_bound=False)
    walk(near, *replies)
    assert near.done


@pytest.mark.parametrize(
    "bound",
    [b"\x01\x00\x00\x00\x00", b"\x01\x0a\x00\x00\x01", b"\x04" + bytes(16), b"\x03\x04name", b"\x03\x00"],
)
def test_a_proxy_behind_another_address_is_no_cause_for_alarm(bound: bytes) -> None:
    dialogue = anonymous()
    walk(dialogue, b"\x05\x00", b"\x05\x00\x00" + bound + b"\x00\x50")
    assert dialogue.done


def test_it_waits_for_the_site_only_once_it_was_asked() -> None:
    dialogue = named()
    dialogue.begin()
    assert not dialogue.asked
    dialogue.take(b"\x05\x02")
    assert not dialogue.asked
    dialogue.take(b"\x01\x00")
    assert dialogue.asked


@pytest.mark.parametrize("login", [("u" * 256, "p"), ("u", "p" * 256), ("ü" * 128, "p")])
def test_a_login_that_does_not_fit_is_never_cut_short(login: tuple[str, str]) -> None:
    assert cause_of(SocksDialogue("site.example", 443, *login))[0] == "password"


@given(st.data())
def test_replies_may_come_in_any_pieces(data: st.DataObject) -> None:
    dialogue, said = named(), b""
    dialogue.begin()
    early = data.draw(st.binary(max_size=30))
    late = b""
    for reply in (b"\x05\x02", b"\x01\x00", BOUND + early):
        while reply:
            size = data.draw(st.integers(1, len(reply)))
            if dialogue.done:
                late += reply[:size]
            else:
                said += dialogue.take(reply[:size])
            reply = reply[size:]
    assert dialogue.done and dialogue.early + late == early
    assert said.startswith(b"\x01\x04user") and said.endswith(b"site.example\x01\xbb")


@given(
    st.lists(
        st.binary(min_size=0, max_size=300) | st.sampled_from([b"\x05\x02", b"\x01\x00", BOUND]), max_size=8
    )
)
def test_any_bytes_end_in_success_or_one_error(pieces: list[bytes]) -> None:
    dialogue = named()
    dialogue.begin()
    try:
        for piece in pieces:
            if dialogue.done:
                break
            dialogue.take(piece)
    except UpstreamError as error:
        assert error.cause in (*EXIT_FAULTS, *SITE_FAULTS, "address")
