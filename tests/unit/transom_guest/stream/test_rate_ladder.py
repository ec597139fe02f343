"""Frames go before size, and size only while motion fills the bitrate."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.rate_ladder import LARGER_AFTER_S, RATES, SCALES, Ladder


def held(
    ladder: Ladder, kbps: int, seconds: float, *, since: float, filled: bool = True
) -> Iterator[tuple[int, int]]:
    """What holds, ten times a second."""
    for tenth in range(int(seconds * 10)):
        step = ladder.take(since + tenth / 10, kbps, filled=filled)
        yield step.fps, step.scale


def test_frames_go_first_then_size_and_both_come_back() -> None:
    ladder = Ladder()
    assert list(held(Ladder(), 350, 9, since=0))[-1] == (20, 100), "fewer frames are enough"
    seen = list(held(ladder, 280, 4, since=0))
    fps = [each for each, _ in seen]
    sizes = [each for _, each in seen]
    assert fps[0] == 60 and fps[-1] == 20
    assert sizes[-1] == 75
    assert fps.index(20) < sizes.index(75)
    assert list(held(ladder, 120, 4, since=10))[-1] == (10, 50)
    back = list(held(ladder, 2000, 4, since=20))
    assert back[0] == (10, 50) and back[-1] == (60, 100)


def test_a_desktop_that_moves_little_has_the_whole_size_at_any_bitrate() -> None:
    ladder = Ladder()
    assert list(held(ladder, 250, 10, since=0, filled=False))[-1] == (15, 100)
    assert list(held(ladder, 250, 4, since=10))[-1] == (15, 75)
    assert list(held(ladder, 250, LARGER_AFTER_S + 0.5, since=20, filled=False))[-1] == (15, 100)


def test_a_moment_below_changes_nothing() -> None:
    ladder = Ladder()
    for second in range(20):
        ladder.take(second, 2000)
        ladder.take(second + 0.3, 100)
        step = ladder.take(second + 0.7, 100)
        assert (step.fps, step.scale) == (60, 100)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 5000), st.booleans()), max_size=60))
def test_whatever_comes_it_is_one_of_the_steps(taken: list[tuple[float, int, bool]]) -> None:
    ladder, now = Ladder(), 0.0
    for step, kbps, filled in taken:
        now += step
        seen = ladder.take(now, kbps, filled=filled)
        assert seen.fps in [fps for _, fps in RATES]
        assert seen.scale in [scale for _, scale in SCALES]
