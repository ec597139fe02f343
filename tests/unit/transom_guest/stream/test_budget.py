import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.budget import BITRATE_CAP, FRAME_RATE, SHARPEN, VBV_MS, Budget


def bits(budget: Budget, now: float, still: bool = False) -> tuple[float, float]:
    """What x264 makes of it: bits that a frame refills, and bits that its buffer holds."""
    vbv = budget.next(now, still=still)
    return vbv.bitrate * 1000 / FRAME_RATE, vbv.bitrate * vbv.capacity


def test_frames_at_full_rate_are_as_x264_thinks() -> None:
    budget = Budget()
    budget.next(0.0, still=False)
    vbv = budget.next(1 / FRAME_RATE, still=False)
    assert (vbv.bitrate, vbv.capacity) == (BITRATE_CAP, VBV_MS)


def test_a_pause_refills_what_it_would_in_time() -> None:
    budget = Budget()
    bits(budget, 0.0)
    refill, buffer = bits(budget, 0.1)
    assert refill == pytest.approx(0.1 * BITRATE_CAP * 1000, rel=0.01)
    assert buffer == pytest.approx(BITRATE_CAP * VBV_MS, rel=0.05)
    assert bits(budget, 60.0)[0] == pytest.approx(BITRATE_CAP * VBV_MS, rel=0.01)


def test_a_still_picture_sharpens_faster_unless_the_link_is_known_to_be_slow() -> None:
    budget = Budget()
    bits(budget, 0.0)
    assert bits(budget, 0.1, still=True)[0] == pytest.approx(0.1 * SHARPEN * BITRATE_CAP * 1000, rel=0.01)
    budget.set(500)
    assert bits(budget, 0.2, still=True)[0] == pytest.approx(0.1 * 500_000, rel=0.01)
    budget.set(500, 200, 2)
    assert bits(budget, 0.3, still=True)[0] == pytest.approx(0.1 * 1_000_000, rel=0.01)


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
