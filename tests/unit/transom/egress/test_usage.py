from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom.egress.usage import LARGEST, NAMES, Reading, read_usage
from transom_wire.exit import EXIT_FAULTS, SITE_FAULTS


def test_counters_of_a_keeper() -> None:
    numbers = {
        "memory_bytes": "5",
        "exit_bytes_up": "10",
        "exit_bytes_down": "20",
        "exit_connections": "4",
        "exit_ok": "3",
        "exit_dial_ms": "90",
        "exit_failed_down": "2",
        "exit_failed_timeout": "5",
        "exit_failed_address": "1",
        "exit_changes": "7",
    }
    found = read_usage(numbers)
    assert found == Reading(10, 20, 4, 3, 8, 2, 90, 7)
    assert found.latency_ms == 30


def test_only_the_exit_s_own_faults_are_the_exit_s() -> None:
    for cause in EXIT_FAULTS:
        assert read_usage({f"exit_failed_{cause}": "1"}).failed_exit == 1
    for cause in (*SITE_FAULTS, "address", "rule", "request", "broken"):
        assert read_usage({f"exit_failed_{cause}": "1"}).failed_exit == 0


def test_what_came_since_and_a_counter_that_began_anew() -> None:
    before, after = Reading(10, 20, 1), Reading(15, 20, 2)
    assert after.since(before) == Reading(5, 0, 1)
    assert before.since(after) == before, "a new machine"
    assert not before.since(before)
    assert Reading().latency_ms is None


@given(st.dictionaries(st.text(max_size=20) | st.just("exit_bytes_up"), st.text(max_size=30), max_size=20))
def test_whatever_a_keeper_says_it_is_numbers(numbers: dict[str, str]) -> None:
    found = read_usage(numbers)
    for name in NAMES:
        assert 0 <= getattr(found, name) <= LARGEST * 20


readings = st.builds(Reading, *[st.integers(0, 10**12)] * 8)


@given(readings, readings)
def test_differences_are_never_negative_and_add_up(before: Reading, after: Reading) -> None:
    new = after.since(before)
    assert all(getattr(new, name) >= 0 for name in NAMES)
    grown = before.plus(after)
    assert all(getattr(grown.since(before), name) == getattr(after, name) for name in NAMES)
