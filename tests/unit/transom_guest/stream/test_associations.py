from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.associations import NOBODYS, Associations


@given(st.lists(st.booleans(), max_size=200))
def test_no_two_at_one_time_have_one_number(comes: list[bool]) -> None:
    associations, there = Associations(), list[int]()
    for one in comes:
        if one:
            number = associations.take()
            assert number not in there
            assert 0 < number < NOBODYS
            there.append(number)
        elif there:
            associations.give_back(there.pop(0))


def test_a_number_comes_again_only_after_all_others() -> None:
    associations = Associations()
    stays = associations.take()
    seen = set()
    for _ in range(NOBODYS - 2):
        number = associations.take()
        associations.give_back(number)
        seen.add(number)
    assert stays not in seen
    assert len(seen) == NOBODYS - 2
    assert associations.take() == 2


def test_when_all_are_in_use_there_is_none() -> None:
    associations = Associations()
    for _ in range(1, NOBODYS):
        associations.take()
    with pytest.raises(ValueError, match="in use"):
        associations.take()
