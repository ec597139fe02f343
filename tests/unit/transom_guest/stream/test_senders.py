"""Names of senders are bounded, whoever makes them up."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.senders import MOST, Senders, sender


def test_a_page_s_few_names_are_admitted_for_ever_and_no_others_once_it_is_full() -> None:
    senders = Senders()
    assert senders.admit((1,))
    assert senders.admit(range(MOST))
    assert not senders.admit((MOST,))
    assert not senders.admit((1, MOST))
    assert senders.admit((1, 2, 3))


@given(st.lists(st.lists(st.integers(0, 2**32 - 1), max_size=40), max_size=100))
def test_no_more_names_are_known_than_the_most(batches: list[list[int]]) -> None:
    senders, known = Senders(), set[int]()
    for batch in batches:
        if senders.admit(batch):
            known.update(batch)
        assert len(known) <= MOST
        assert senders.admit(known)


def test_the_name_is_where_rtp_and_rtcp_have_it() -> None:
    assert sender(struct.pack("!BBHII", 0x80, 96, 1, 2, 77)) == 77
    assert sender(struct.pack("!BBHI", 0x80, 201, 1, 78)) == 78
    assert sender(struct.pack("!BBHII", 0x81, 96, 1, 2, 77) + bytes(4)) is None


@given(st.binary(max_size=20))
def test_noise_has_a_name_or_none(noise: bytes) -> None:
    name = sender(noise)
    assert name is None or 0 <= name < 2**32
