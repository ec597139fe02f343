"""How much a viewer may say."""

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.allowance import Allowance
from transom_wire.rate import BURST, DEBT, DRIVER_RATE, WATCHER_RATE


def test_a_burst_is_taken_more_is_not_and_much_more_is_the_end() -> None:
    allowance = Allowance(WATCHER_RATE, clock=lambda: 0.0)
    assert all(allowance.take() for _ in range(BURST))
    assert not any(allowance.take() for _ in range(DEBT - 1))
    assert not allowance.overdrawn
    assert not allowance.take()
    assert (allowance.overdrawn, allowance.refused) == (True, DEBT)


def test_what_a_mouse_says_of_itself_is_taken_for_ever() -> None:
    now = [0.0]
    allowance = Allowance(DRIVER_RATE, clock=lambda: now[0])
    for _ in range(20_000):
        now[0] += 0.001
        assert allowance.take()
        assert allowance.take()


def test_who_drives_no_more_has_less_to_say() -> None:
    now = [0.0]
    allowance = Allowance(DRIVER_RATE, burst=10, debt=10, clock=lambda: now[0])
    allowance.allow(1)
    for _ in range(20):
        allowance.take()
    now[0] += 11
    assert [allowance.take() for _ in range(3)] == [True, False, False]
    assert not allowance.overdrawn


@given(st.lists(st.floats(-1, 10), max_size=100), st.integers(1, 100), st.integers(1, 20))
def test_however_it_is_spread_no_more_is_taken_than_the_burst_and_the_rate(
    waits: list[float], rate: int, burst: int
) -> None:
    """Also by a clock that goes back."""
    now, gone = [0.0], 0.0
    allowance = Allowance(rate, burst, clock=lambda: now[0])
    taken = 0
    for wait in waits:
        now[0] += wait
        gone += max(wait, 0.0)
        taken += allowance.take()
        assert taken <= burst + gone * rate + 1e-6
