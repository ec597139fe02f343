from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom_keeper.rate import Bucket


def test_a_burst_passes_then_the_rate() -> None:
    bucket = Bucket(rate=10, burst=5, now=0.0)
    assert [bucket.take(1, 0.0) for _ in range(6)] == [True] * 5 + [False]
    assert bucket.take(1, 0.1)
    assert not bucket.take(1, 0.1)


def test_waiting_never_saves_more_than_the_burst() -> None:
    bucket = Bucket(rate=10, burst=5, now=0.0)
    assert not bucket.take(6, 1000.0)
    assert bucket.take(5, 1000.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20)), max_size=200))
def test_no_pattern_gets_more_than_burst_and_rate(steps: list[tuple[float, float]]) -> None:
    bucket, now, passed = Bucket(rate=3, burst=10, now=0.0), 0.0, 0.0
    for wait, units in steps:
        now += wait
        passed += units if bucket.take(units, now) else 0
        assert passed <= 10 + 3 * now + 1e-6


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    bucket = Bucket(rate=10, burst=1, now=100.0)
    assert bucket.take(1, 100.0)
    assert not bucket.take(1, 50.0)
    assert not bucket.take(1, 100.0)
