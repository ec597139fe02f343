from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.drawn import NEAR_TICKS, Drawn

RTP_TIMES = st.integers(0, 2**32 - 1)


def test_nothing_was_sent_so_nothing_is_drawn() -> None:
    drawn = Drawn()
    assert not drawn.take(0)
    assert not drawn.all


def test_the_next_frame_is_not_drawn_until_the_viewer_says_so() -> None:
    drawn = Drawn()
    drawn.sent(1000)
    assert not drawn.all
    assert drawn.take(1000)
    assert drawn.all
    drawn.sent(4000)
    assert not drawn.all
    assert not drawn.take(1000)
    assert not drawn.all


@given(RTP_TIMES, st.integers(-NEAR_TICKS, NEAR_TICKS))
def test_a_frame_is_known_by_about_its_time_also_where_that_begins_anew(sent: int, off: int) -> None:
    drawn = Drawn()
    drawn.sent(sent)
    assert drawn.take((sent + off) % 2**32)
    assert drawn.all


@given(RTP_TIMES, st.lists(RTP_TIMES, max_size=20))
def test_whatever_a_viewer_says_only_the_newest_frame_counts(sent: int, said: list[int]) -> None:
    drawn = Drawn()
    drawn.sent(sent)
    for each in said:
        assert drawn.take(each) is (min((each - sent) % 2**32, (sent - each) % 2**32) <= NEAR_TICKS)
