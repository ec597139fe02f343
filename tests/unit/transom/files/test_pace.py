"""Who uploads moves, or is let go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom.files.pace import LEAST_BYTES, WINDOW_S, Pace


def test_a_byte_now_and_then_is_no_upload() -> None:
    pace = Pace(0.0)
    assert all(pace.moves(1, second) for second in range(0, 30, 5))
    assert not pace.moves(1, 30)


def test_a_slow_one_goes_on_for_ever() -> None:
    pace = Pace(0.0)
    assert all(pace.moves(1500, second) for second in range(10_000))


@given(st.lists(st.tuples(st.integers(0, 2**20), st.floats(0, WINDOW_S)), max_size=200))
def test_nobody_holds_a_place_for_longer_than_its_bytes_are_worth(steps: list[tuple[int, float]]) -> None:
    pace, now, total = Pace(0.0), 0.0, 0
    for size, wait in steps:
        now += wait
        if not pace.moves(size, now):
            return
        total += size
        assert now < 2 * WINDOW_S * (2 + total / LEAST_BYTES)
