from __future__ import annotations

from transom.model.ids import new_id
from transom.model.machine import Machine, MachinePhase, Outcome
from transom.observe.failures import WINDOW_MS, Failures


class Watch:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.failures = Failures(self.said.append)
        self.now = 1_000

    def happens(self, *outcomes: bool, outcome: Outcome = Outcome.FAILED) -> None:
        for good in outcomes:
            self.now += 1_000
            phase = MachinePhase.READY if good else MachinePhase.OVER
            how = None if good else outcome
            row = Machine(new_id("mch"), "fake", "i", 1, phase, self.now, 0, outcome=how)
            self.failures.machine(row)
            self.failures.machine(row)  # told twice, counted once


def test_a_few_outcomes_say_nothing() -> None:
    watch = Watch()
    watch.happens(False, False, False, False)
    assert watch.said == []


def test_many_failures_are_said_once_and_again_after_a_good_spell() -> None:
    watch = Watch()
    watch.happens(True, True, False, True, False, False, False)
    assert watch.said == ["2 of the last 5 machines failed"]
    watch.happens(*[True] * 25)
    watch.happens(*[False] * 10)
    assert len(watch.said) == 2


def test_lost_machines_count_and_those_that_were_stopped_do_not() -> None:
    watch = Watch()
    watch.happens(*[False] * 9, outcome=Outcome.CANCELLED)
    watch.happens(*[False] * 9, outcome=Outcome.USED)
    assert watch.said == []
    watch.happens(*[False] * 5, outcome=Outcome.LOST)
    assert watch.said == ["5 of the last 5 machines failed"]


def test_old_outcomes_do_not_count() -> None:
    watch = Watch()
    watch.happens(False, False, False, False)
    watch.now += WINDOW_MS
    watch.happens(True)
    assert watch.said == []
