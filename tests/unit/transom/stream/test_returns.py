"""Who floods waits, longer each time, and others by the same link only when it does not end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom.stream.returns import FIRST_S, FORGIVEN_S, MOST_S, MOST_SOURCES, SPARED, TIMES, Returns


def test_who_floods_waits_longer_each_time_and_not_for_ever() -> None:
    returns, now, waits = Returns(), 0.0, list[float]()
    assert returns.wait_s("lnk_1", "192.0.2.1", now) == 0
    for _ in range(8):
        returns.flooded("lnk_1", "192.0.2.1", now)
        waits.append(returns.wait_s("lnk_1", "192.0.2.1", now))
        now += waits[-1]
        assert returns.wait_s("lnk_1", "192.0.2.1", now) == 0
    assert waits == [min(FIRST_S * TIMES**count, MOST_S) for count in range(8)]
    assert waits[-1] == MOST_S


def test_others_by_the_link_wait_only_when_floods_go_on() -> None:
    returns = Returns()
    for count in range(SPARED + 1):
        assert returns.wait_s("lnk_1", "198.51.100.7", 0) == 0
        returns.flooded("lnk_1", f"192.0.2.{count}", 0)
    assert returns.wait_s("lnk_1", "198.51.100.7", 0) == FIRST_S
    assert returns.wait_s("lnk_2", "192.0.2.1", 0) == 0


def test_an_hour_without_a_flood_is_a_new_beginning() -> None:
    returns = Returns()
    for _ in range(5):
        returns.flooded("lnk_1", "192.0.2.1", 0)
    returns.flooded("lnk_1", "192.0.2.1", FORGIVEN_S + 1)
    assert returns.wait_s("lnk_1", "192.0.2.1", FORGIVEN_S + 1) == FIRST_S


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.floats(0, 2000)), max_size=60))
def test_no_wait_is_longer_than_the_longest_nor_ends_later_than_it_said(
    floods: list[tuple[int, int, float]],
) -> None:
    returns, now = Returns(), 0.0
    for link, address, later in floods:
        now += later
        returns.flooded(f"lnk_{link}", str(address), now)
        wait = returns.wait_s(f"lnk_{link}", str(address), now)
        assert FIRST_S - 1e-6 <= wait <= MOST_S + 1e-6
        assert returns.wait_s(f"lnk_{link}", str(address), now + wait + 1e-6) == 0


def test_memory_is_bounded() -> None:
    returns = Returns()
    for number in range(2 * MOST_SOURCES):
        returns.flooded(f"lnk_{number}", "192.0.2.1", number)
    assert len(returns) == MOST_SOURCES
