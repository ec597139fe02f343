"""What a link has proved to carry for a moment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.rate import RateControl
from transom_guest.stream.rate_burst import KEPT_S, MOST_KBPS, SHARE, Burst
from transom_guest.stream.rate_estimate import Packet


def test_the_slowest_of_the_newest_trains_counts() -> None:
    burst = Burst()
    for rate in (9000, 5000, 7000):
        burst.train(1.0, rate, 50_000)
    assert burst.kbps(2.0) == SHARE * 5000
    for rate in (8000, 6000):
        burst.train(2.0, rate, 50_000)
    assert burst.kbps(2.0) == SHARE * 6000


def test_a_train_that_came_as_it_was_sent_takes_no_proof_away() -> None:
    burst = Burst()
    burst.train(1.0, 9000, 50_000)
    burst.train(1.1, 2500, 2500)
    assert burst.kbps(2.0) == SHARE * 9000


def test_a_proof_ends_with_a_queue_and_with_time() -> None:
    burst = Burst()
    assert burst.kbps(0.0) == 0
    burst.train(1.0, 9000, 50_000)
    burst.over_used()
    assert burst.kbps(1.0) == 0
    burst.train(2.0, 9000, 50_000)
    assert burst.kbps(2.0 + KEPT_S) and not burst.kbps(2.1 + KEPT_S)


def test_a_decision_tells_what_was_proved_and_no_less_than_the_target() -> None:
    control = RateControl(0.0, 2000)
    assert control.burst_kbps == control.decision.kbps
    train = [Packet(1.0 + 0.0001 * n, 1.05 + 0.001 * n, 1250) for n in range(20)]
    assert control.feedback(1.1, train).burst_kbps == control.burst_kbps > 8000
    stands = [Packet(1.5 + 0.01 * n, 1.8 + 0.02 * n, 1250) for n in range(9)]
    control.feedback(2.1, stands)
    assert control.decision.cause == "delay"
    assert control.burst_kbps == control.decision.kbps


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.001, 1e9), st.floats(0.001, 1e9)), max_size=30))
def test_nothing_is_proved_beyond_the_limit(trains: list[tuple[float, float, float]]) -> None:
    burst, now = Burst(), 0.0
    for step, arrived, sent in trains:
        now += step
        burst.train(now, arrived, sent)
        assert 0 <= burst.kbps(now) <= MOST_KBPS
