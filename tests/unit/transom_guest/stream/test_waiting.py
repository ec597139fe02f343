from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.waiting import Waiting


def test_few_large_messages_fill_it_as_many_small_ones_do() -> None:
    waiting = Waiting(3, 100)
    assert waiting.admit(b"x" * 60) == b"x" * 60
    assert waiting.admit(b"x" * 41) is None
    assert waiting.admit("x" * 40) == "x" * 40
    assert waiting.admit("") is None, "three wait already"
    for each in (b"x" * 60, None, "x" * 40, None):
        waiting.release(each)
    assert waiting.admit(b"x" * 100) is not None


@given(st.lists(st.one_of(st.none(), st.integers(0, 80)), max_size=60))
def test_whatever_comes_and_goes_no_more_waits_than_may(steps: list[int | None]) -> None:
    waiting, held = Waiting(5, 100), list[bytes | None]()
    for size in steps:
        if size is None:
            if held:
                waiting.release(held.pop(0))
        else:
            held.append(waiting.admit(b"x" * size))
        kept = [each for each in held if each is not None]
        assert sum(map(len, kept)) <= 100 and len(kept) <= 5
    while held:
        waiting.release(held.pop())
    assert waiting.admit(b"x" * 100) is not None
