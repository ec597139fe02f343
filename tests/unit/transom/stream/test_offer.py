from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.sdps import offer
from transom.model.errors import Invalid, TooLarge
from transom.stream.offer import ViewerOffer, check_size, read_offer


def test_an_offer_is_read_to_what_the_machine_and_the_door_are_told() -> None:
    read = read_offer(offer("abcd", candidates=2))
    assert read.ufrag == "abcd"
    assert "a=candidate" not in read.sdp
    assert read == read_offer(read.sdp)


@pytest.mark.parametrize(
    ("sdp", "error"),
    [
        ("garbage", Invalid),
        ("v=0", Invalid),
        ("v=0\r\n" + "a=x\r\n" * 20_000, TooLarge),
        ("é" * 40_000, TooLarge),
    ],
)
def test_offers_that_are_none(sdp: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_offer(sdp)


def test_an_answer_by_hand_has_the_same_limit() -> None:
    check_size("é" * 1000)
    with pytest.raises(TooLarge):
        check_size("é" * 40_000)


@given(st.integers(0, 3000), st.text(max_size=20))
def test_whatever_an_offer_holds_it_is_read_or_refused(at: int, junk: str) -> None:
    whole = offer()
    with suppress(Invalid, TooLarge):
        assert isinstance(read_offer(whole[:at] + junk + whole[at:]), ViewerOffer)
