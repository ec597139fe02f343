from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom_wire.rate import Bucket


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


def test_what_did_not_pass_costs_nothing_where_there_is_no_debt() -> None:
    bucket = Bucket(rate=1, burst=2, now=0.0)
    assert bucket.take(2, 0.0)
    assert not any(bucket.take(1, 0.0) for _ in range(100))
    assert not bucket.overdrawn
    assert bucket.take(1, 1.0)


def test_with_a_debt_what_did_not_pass_is_owed_and_no_deeper() -> None:
    bucket = Bucket(rate=1, burst=2, now=0.0, debt=5)
    assert [bucket.take(1, 0.0) for _ in range(7)] == [True] * 2 + [False] * 5
    assert bucket.overdrawn
    assert not any(bucket.take(1, 0.0) for _ in range(100))
    assert bucket.wait_s(1, 0.0) == 6
    assert bucket.take(1, 6.0)
    assert not bucket.overdrawn


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20), st.floats(0.1, 9)), max_size=100), st.floats(0, 50)
)
def test_with_debts_and_rates_that_change_no_pattern_gets_more(
    steps: list[tuple[float, float, float]], debt: float
) -> None:
    bucket, now, rate = Bucket(rate=3, burst=10, now=0.0, debt=debt), 0.0, 3.0
    passed, room = 0.0, 10.0
    for wait, units, other in steps:
        now, room = now + wait, room + wait * rate
        passed += units if bucket.take(units, now) else 0
        assert passed <= room + 1e-6
        rate = other
        bucket.change(rate, now)


@given(st.lists(st.floats(0.01, 8), max_size=50), st.floats(0, 5))
def test_who_waits_as_long_as_told_is_let_through(sizes: list[float], debt: float) -> None:
    bucket, now = Bucket(rate=3, burst=8, now=0.0, debt=debt), 0.0
    for units in sizes:
        now += bucket.wait_s(units, now)
        assert bucket.take(units, now)


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 30), st.floats(1, 20)), min_size=1, max_size=60))
def test_what_was_spent_stays_spent_whatever_burst_there_is_then(
    steps: list[tuple[float, float, float]],
) -> None:
    bucket, level, burst, now = Bucket(rate=3, burst=10, now=0.0), 0.0, 10.0, 0.0
    for wait, units, other in steps:
        now, level = now + wait, max(level - 3 * wait, 0.0) + units
        bucket.spend(units, now)
        bucket.change(3, now, burst := other)
        assert abs(bucket.wait_s(burst, now) - level / 3) < 1e-6
