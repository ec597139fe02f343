"""Token buckets under a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.auth.limits import RateLimiter, address_key
from transom.model.clock import steady_ms
from transom.model.errors import TooMany


class Hand:
    """A clock moved by hand, in milliseconds."""

    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


def test_a_burst_then_the_rate() -> None:
    clock = Hand()
    limiter = RateLimiter(count=3, seconds=60, clock=clock)
    assert [limiter.allow("a") for _ in range(4)] == [0, 0, 0, 20]
    clock.now += 19_000
    assert limiter.allow("a") == 1
    clock.now += 1_000
    assert limiter.allow("a") == 0
    clock.now += 3_600_000
    assert [limiter.allow("a") for _ in range(4)] == [0, 0, 0, 20]


def test_keys_do_not_share() -> None:
    limiter = RateLimiter(count=1, seconds=60, clock=Hand())
    limiter.check("a")
    limiter.check("b")
    with pytest.raises(TooMany) as refused:
        limiter.check("a")
    assert refused.value.retry_after == 60


def test_waiting_as_long_as_told_is_enough() -> None:
    clock = Hand()
    limiter = RateLimiter(count=7, seconds=60, clock=clock)
    for _ in range(50):
        clock.now += limiter.allow("a") * 1000
        wait = limiter.allow("a")
        clock.now += wait * 1000
        assert not wait or limiter.allow("a") == 0


def test_memory_is_bounded_and_the_busy_are_kept() -> None:
    limiter = RateLimiter(count=1, seconds=60, clock=Hand(), max_keys=10)
    limiter.allow("busy")
    for number in range(100):
        limiter.allow(str(number))
        assert limiter.allow("busy") > 0
        assert len(limiter) <= 10


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    clock = Hand()
    limiter = RateLimiter(count=1, seconds=60, clock=clock)
    limiter.check("a")
    clock.now -= 500_000
    assert limiter.allow("a") > 0
    clock.now += 60_000
    assert limiter.allow("a") == 0


@given(st.lists(st.integers(0, 30_000), max_size=60), st.integers(1, 5))
def test_never_more_than_the_rate(steps: list[int], count: int) -> None:
    clock = Hand()
    limiter = RateLimiter(count=count, seconds=10, clock=clock)
    start, done = clock.now, 0
    for step in steps:
        clock.now += step
        done += limiter.allow("a") == 0
    assert done <= count + (clock.now - start) * count / 10_000 + 1e-6


@pytest.mark.parametrize("wrong", [{"count": 0, "seconds": 1}, {"count": 1, "seconds": 0}])
def test_a_limit_allows_something(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="allows something"):
        RateLimiter(**wrong)


def test_the_default_clock_runs() -> None:
    assert steady_ms() <= steady_ms()
    assert RateLimiter(count=1, seconds=60).allow("a") == 0


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "unknown"),
        ("", "unknown"),
    ],
)
def test_addresses_of_one_household_are_one(address: str, key: str) -> None:
    assert address_key(address) == key
