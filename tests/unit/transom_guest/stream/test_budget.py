import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.budget import BITRATE_CAP, FRAME_RATE, PAYLOAD, VBV_MS, Budget


def bits(budget: Budget, now: float, still: bool = False) -> tuple[float, float]:
    """What x264 makes of it: bits that a frame refills, and bits that its buffer holds."""
    vbv = budget.next(now, still=still)
    return vbv.bitrate * 1000 / FRAME_RATE, vbv.bitrate * vbv.capacity


def test_frames_at_full_rate_are_as_x264_thinks() -> None:
    budget = Budget()
    budget.next(0.0, still=False)
    vbv = budget.next(1 / FRAME_RATE, still=False)
    assert (vbv.bitrate, vbv.capacity) == (BITRATE_CAP * PAYLOAD, VBV_MS)


def test_a_pause_refills_what_it_would_in_time() -> None:
    budget = Budget()
    bits(budget, 0.0)
    refill, buffer = bits(budget, 0.1)
    assert refill == pytest.approx(0.1 * PAYLOAD * BITRATE_CAP * 1000, rel=0.01)
    assert buffer == pytest.approx(PAYLOAD * BITRATE_CAP * VBV_MS, rel=0.05)
    assert bits(budget, 60.0)[0] == pytest.approx(PAYLOAD * BITRATE_CAP * VBV_MS, rel=0.01)


def test_a_still_picture_sharpens_at_the_burst_and_motion_does_not() -> None:
    budget = Budget()
    budget.set(500, 200, 4000)
    bits(budget, 0.0)
    refill, buffer = bits(budget, 0.1, still=True)
    assert refill == pytest.approx(0.1 * PAYLOAD * 4_000_000, rel=0.01)
    assert buffer == pytest.approx(PAYLOAD * 4000 * 200, rel=0.05)
    assert bits(budget, 0.2)[0] == pytest.approx(0.1 * PAYLOAD * 500_000, rel=0.01)


def test_where_nothing_more_is_proved_a_still_picture_keeps_to_the_target() -> None:
    budget = Budget()
    bits(budget, 0.0)
    for now, burst in ((0.1, 0), (0.2, 300)):
        budget.set(500, 200, burst)
        assert bits(budget, now, still=True)[0] == pytest.approx(0.1 * PAYLOAD * 500_000, rel=0.01)


def test_a_repeated_frame_that_takes_next_to_nothing_says_that_the_picture_is_sharp() -> None:
    budget = Budget()
    budget.next(0.0, still=False)
    assert not budget.settled(27), "it was no repeat"
    budget.next(0.05, still=True)
    assert budget.settled(27)
    assert not budget.settled(100)


@given(
    st.integers(30, 20_000),
    st.integers(50, 2000),
    st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=30),
)
def test_x264_can_always_take_it(kbps: int, vbv_ms: int, frames: list[tuple[float, bool]]) -> None:
    budget, now = Budget(), 0.0
    budget.set(kbps, vbv_ms)
    for later, still in frames:
        now += later
        vbv = budget.next(now, still=still)
        assert 1 <= vbv.bitrate <= 2_048_000
        assert 1000 / FRAME_RATE <= vbv.capacity <= 10_000
