from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.keeper_snapshot import snapshot
from transom.drivers.restores import (
    BOOTED_INSTEAD,
    FAILED,
    IN_A_ROW,
    MOST_MADE_ANEW,
    OUTCOMES,
    RESTORED,
    Restores,
    Saved,
    came_of,
)

ONE, NEXT, OTHER = Saved("k" * 32, "t" * 32), Saved("k" * 32, "u" * 32), Saved("o" * 32, "v" * 32)
PARKED = snapshot(stages={"guest": "1", "parked": "2"})
BOOTED = snapshot(
    stages={"guest": "1", "parked": "2"}, warnings=("no memory limit", "booted, for its restore failed: no")
)
STARTING = snapshot(stages={"guest": "1"})


class Bench(Restores):
    """Whose outcomes are heard."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        super().__init__(self.heard.append)
        self.made = 0

    def clone(self, saved: Saved, outcome: str) -> Saved | None:
        """A life of one clone; what is to be set aside after it."""
        self.made += 1
        machine = f"mch_{self.made}"
        self.began(machine, saved)
        self.started(machine)
        assert self.seen(machine, STARTING) is None
        if outcome == FAILED:
            return self.over(machine, failed=True)
        bad = self.seen(machine, BOOTED if outcome == BOOTED_INSTEAD else PARKED)
        assert self.seen(machine, BOOTED) is self.over(machine, failed=True) is None
        return bad


def test_what_came_of_a_clone_is_in_its_keeper_s_words() -> None:
    assert came_of(STARTING) is None
    assert came_of(PARKED) == RESTORED
    assert came_of(BOOTED) == BOOTED_INSTEAD
    assert came_of(snapshot(stages={"parked": "2"}, warnings=("no memory limit",))) == RESTORED


def test_two_failures_in_a_row_are_enough_and_each_counts_once() -> None:
    bench = Bench()
    assert bench.clone(ONE, BOOTED_INSTEAD) is None
    assert bench.clone(ONE, RESTORED) is None
    assert bench.clone(ONE, FAILED) is None
    assert bench.clone(OTHER, BOOTED_INSTEAD) is None
    assert bench.clone(ONE, BOOTED_INSTEAD) == ONE
    assert bench.heard == [BOOTED_INSTEAD, RESTORED, FAILED, BOOTED_INSTEAD, BOOTED_INSTEAD]


def test_it_is_said_again_until_it_was_set_aside() -> None:
    bench = Bench()
    assert [bench.clone(ONE, BOOTED_INSTEAD) for _ in range(3)] == [None, ONE, ONE]
    bench.gave_up(ONE)
    assert bench.clone(ONE, BOOTED_INSTEAD) is None


def test_one_that_was_made_in_its_place_begins_at_nothing() -> None:
    bench = Bench()
    bench.clone(ONE, BOOTED_INSTEAD)
    assert bench.clone(NEXT, BOOTED_INSTEAD) is None
    assert bench.clone(NEXT, BOOTED_INSTEAD) == NEXT


def test_what_fails_for_other_reasons_says_nothing_of_the_snapshot() -> None:
    bench = Bench()
    for number in range(4):
        machine = f"mch_{number}"
        bench.began(machine, ONE)
        if number % 2:  # no port was free: it never started; or nobody wanted it any more
            assert bench.over(machine, failed=True) is None
        else:
            bench.started(machine)
            assert bench.over(machine, failed=False) is None
    bench.started("mch_cold")
    assert bench.seen("mch_cold", BOOTED) is bench.over("mch_cold", failed=True) is None
    assert bench.heard == []
    assert not bench._open and not bench._started


def test_where_none_wakes_up_no_more_are_made() -> None:
    bench = Bench()
    for number in range(MOST_MADE_ANEW):
        assert not bench.hopeless(ONE.key)
        bench.gave_up(Saved(ONE.key, f"{number}" * 32))
    assert bench.hopeless(ONE.key) and not bench.hopeless(OTHER.key)
    bench.clone(NEXT, RESTORED)
    assert not bench.hopeless(ONE.key)


@given(st.lists(st.sampled_from(OUTCOMES), max_size=12))
def test_a_snapshot_goes_exactly_when_its_last_clones_all_failed(outcomes: list[str]) -> None:
    bench = Bench()
    for number, outcome in enumerate(outcomes, start=1):
        bad = bench.clone(ONE, outcome)
        last = outcomes[max(0, number - IN_A_ROW) : number]
        assert (bad == ONE) == (len(last) == IN_A_ROW and RESTORED not in last)
    assert bench.heard == outcomes
