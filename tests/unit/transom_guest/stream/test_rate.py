"""Rate control on a simulated bottleneck, and whatever a viewer may say to it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom_guest.stream.bottleneck import CAP, run
from transom_guest.stream.rate import FLOOR_KBPS, PACKET_BITS, QUEUE_LOW_S, START_KBPS, RateControl
from transom_guest.stream.rate_estimate import LinkEstimate, Packet


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.05, 0.10])
@pytest.mark.parametrize("rtt", [0.02, 0.08, 0.2])
@pytest.mark.parametrize("kbps", [300, 1000, 3000])
def test_four_fifths_of_a_link_are_used_and_its_queue_stays_short(kbps: int, rtt: float, loss: float) -> None:
    seen = run(lambda _: kbps, rtt=rtt, loss=lambda _: loss)
    assert seen.kbps(12, 30) >= 0.8 * kbps * (1 - loss)
    late = sorted(queue for at, queue in seen.queues if at > 12)
    assert late[int(len(late) * 0.95)] < 150 + PACKET_BITS / kbps
    assert seen.longest_freeze(since=3) < 1.0


def test_the_same_run_again_comes_out_the_same() -> None:
    first, again = (run(lambda _: 300, loss=lambda _: 0.1, seconds=3) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("rtt", [0.02, 0.08, 0.2])
def test_a_link_that_drops_is_followed_within_three_seconds_and_taken_again(rtt: float) -> None:
    seen = run(lambda now: 500 if 15 <= now < 30 else 5000, rtt=rtt, seconds=50)
    assert seen.worst_queue_ms(17.5, 18.5) < 80 + PACKET_BITS / 500
    late = sorted(queue for at, queue in seen.queues if 18 <= at < 30)
    assert late[int(len(late) * 0.9)] < 90
    assert seen.kbps(20, 30) >= 0.8 * 500
    assert seen.kbps(40, 50) >= 0.8 * CAP
    assert seen.longest_freeze(since=3) < 1.0


def test_a_drop_is_followed_also_where_little_of_what_may_be_sent_was() -> None:
    seen = run(
        lambda now: 300 if 15 <= now < 25 else 8000,
        wanted_kbps=lambda now: 99_999 if now < 12 else 2400,
        seconds=25,
    )
    assert max(target for at, target in seen.targets if 14 < at < 15) == CAP
    assert max(target for at, target in seen.targets if 16.5 < at < 18) <= 600
    assert seen.worst_queue_ms(17.5, 18.5) < 120


@pytest.mark.parametrize("more", [0.04, 0.12, 0.4])
def test_a_way_that_became_longer_is_no_queue(more: float) -> None:
    seen = run(lambda _: 2000, longer=lambda now: more if now >= 10 else 0.0)
    assert seen.kbps(16, 30) >= 0.8 * 2000
    assert all(target >= 300 for at, target in seen.targets if at > 14)


@pytest.mark.parametrize(
    ("kbps", "rtt", "more"), [(3000, 0.02, 0.06), (1000, 0.08, 0.12), (300, 0.02, 0.06), (300, 0.08, 0.12)]
)
def test_a_link_that_becomes_longer_and_loses_less_is_used_soon(kbps: int, rtt: float, more: float) -> None:
    seen = run(
        lambda _: kbps,
        rtt=rtt,
        loss=lambda now: 0.1 if now < 12 else 0.01,
        longer=lambda now: more if now >= 12 else 0.0,
        fills=0.85,
        queue_s=0.3,
        seconds=24,
    )
    assert seen.kbps(15, 24) >= 0.75 * kbps
    late = sorted(queue for at, queue in seen.queues if at > 15)
    assert late[int(len(late) * 0.95)] < 200


@pytest.mark.parametrize("more", [0.04, 0.12])
def test_a_link_that_becomes_slower_and_longer_is_used(more: float) -> None:
    seen = run(lambda now: 1000 if now >= 10 else 5000, longer=lambda now: more if now >= 10 else 0.0)
    assert seen.kbps(16, 30) >= 0.8 * 1000
    late = sorted(queue for at, queue in seen.queues if at > 16)
    assert late[int(len(late) * 0.95)] < 150


def fed(control: RateControl, since: float, until: float, delay: Callable[[float], float]) -> float:
    """Feedback each tenth of a second on as much as may be sent, in packets of 500 bytes that took `delay`; the
    least target."""
    least, sent, now = math.inf, since, since
    while now < until:
        now += 0.1
        packets = []
        while sent < now:
            packets.append(Packet(sent, sent + delay(sent), 500))
            sent += 500 * 8 / 1000 / control.decision.kbps
        control.feedback(now + 0.1, packets)
        least = min(least, control.target_kbps)
    return least


def test_a_delay_that_never_moves_is_the_ways_also_where_the_link_was_full_before() -> None:
    control = RateControl(0.0, CAP)
    fed(control, 0.0, 4.0, lambda at: 0.02 + 0.2 * (1 < at < 1.5))
    before = control.target_kbps
    assert before < CAP
    assert fed(control, 4.0, 7.5, lambda _: 0.06) >= before
    assert control.link.queue_s < QUEUE_LOW_S
    link = LinkEstimate()
    for tenth in range(60):
        now = 10 + tenth / 10
        link.take(
            now, [Packet(now - 0.1 - n / 100, now - 0.04 - n / 100 + tenth / 500, 500) for n in range(5)]
        )
        assert not link.steady, "a queue that grows by a fiftieth of a second in one"


@pytest.mark.parametrize("fills", [0.4, 0.6])
def test_an_encoder_that_sends_less_than_it_may_comes_back_from_the_floor(fills: float) -> None:
    seen = run(lambda now: 100 if 5 <= now < 10 else 3000, fills=fills, seconds=60)
    assert min(target for at, target in seen.targets if 7 < at < 10) <= FLOOR_KBPS * 1.1
    assert max(target for at, target in seen.targets if at > 40) >= START_KBPS


def test_bursts_of_loss_are_survived() -> None:
    seen = run(lambda _: 2000, loss=lambda now: 0.5 if now % 5 < 0.15 else 0.01)
    assert seen.kbps(15, 30) >= 0.7 * 2000


@pytest.mark.parametrize("fills", [0.85, 1.0])
@pytest.mark.parametrize("moment", [0.15, 0.3])
def test_moments_in_which_all_is_lost_are_no_full_link(fills: float, moment: float) -> None:
    seen = run(lambda _: 3000, loss=lambda now: 1.0 if now % 3 < moment else 0.01, fills=fills)
    assert seen.kbps(12, 30) >= 0.75 * 3000


def test_a_way_that_became_longer_while_little_is_sent_is_known_for_that_after_two_seconds() -> None:
    control, late = RateControl(0.0, CAP), {}
    for twentieth in range(20 * 16):
        now = twentieth / 20
        control.feedback(now + 0.06, [Packet(now, now + (0.02 if now < 10 else 0.06), 500)])
        late[now] = control.link.queue_s
    assert late[11.0] == pytest.approx(0.04)
    assert [late[now] for now in (13.0, 14.0, 15.0)] == [0, 0, 0]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_drop_over_a_long_way_is_drained(seed: int) -> None:
    seen = run(lambda now: 300 if now >= 12 else 3000, rtt=0.2, queue_s=0.3, seconds=24, seed=seed)
    late = sorted(queue for at, queue in seen.queues if at >= 15)
    assert late[int(len(late) * 0.9)] < 150
    assert max(target for at, target in seen.targets if at > 16) < 450


@pytest.mark.parametrize("kbps", [300, 1000, 3000])
@pytest.mark.parametrize("jitter", [0.025, 0.04, 0.06])
def test_jitter_is_no_queue(kbps: int, jitter: float) -> None:
    seen = run(lambda _: kbps, jitter_s=jitter)
    assert seen.kbps(12, 30) >= 0.8 * kbps


def test_jitter_does_not_keep_a_link_at_the_floor() -> None:
    seen = run(lambda now: 100 if now < 6 else 3000, jitter_s=0.06, fills=0.6, seconds=40)
    assert max(target for at, target in seen.targets if at > 30) >= 4 * FLOOR_KBPS


def test_a_receiver_that_holds_packets_for_a_moment_is_no_queue() -> None:
    seen = run(lambda _: 1000, stalls=lambda at: math.ceil(at) if at % 1 > 0.85 else at)
    assert seen.kbps(12, 30) >= 0.8 * 1000


def test_another_cap_holds_at_once() -> None:
    control = RateControl(0.0, CAP)
    control.allow(500)
    assert control.tick(1.0).kbps == 500


def test_a_still_desktop_says_nothing_about_the_link() -> None:
    seen = run(lambda _: 1000, wanted_kbps=lambda _: 40)
    assert {target for _, target in seen.targets} == {START_KBPS}


def test_scrolling_after_typing_finds_the_link_again() -> None:
    seen = run(lambda _: 3000, wanted_kbps=lambda now: 40 if now < 15 else 99_999)
    assert seen.kbps(22, 30) >= 0.8 * 3000


def test_an_outage_ends_at_the_floor_and_is_recovered_from() -> None:
    seen = run(lambda _: 2000, loss=lambda now: 1.0 if 10 <= now < 18 else 0.0, seconds=40)
    assert min(target for at, target in seen.targets if 10 < at < 18) <= FLOOR_KBPS * 2
    assert seen.kbps(34, 40) >= 0.6 * 2000


def test_it_does_not_raise_while_the_desktop_limits_without_a_train() -> None:
    control, now = RateControl(0.0, CAP), 0.0
    for _ in range(200):
        now += 0.1
        control.feedback(now, [Packet(now - 0.05, now, 500)])
        assert control.limited
    assert control.decision.kbps == START_KBPS


def test_a_train_that_came_through_is_a_probe() -> None:
    control = RateControl(0.0, CAP)
    train = [Packet(1.0 + 0.001 * n, 1.02 + 0.001 * n, 1200) for n in range(10)]
    assert control.feedback(1.1, train).cause == "probe"
    assert control.decision.kbps == 2 * START_KBPS


def test_silence_after_words_halves_and_again() -> None:
    control = RateControl(0.0, CAP)
    control.feedback(5.1, [Packet(5.0, 5.05, 500)])
    control.sent(5.2, 500)
    assert control.tick(5.9).kbps == START_KBPS
    assert control.tick(6.5).kbps == START_KBPS // 2
    assert control.tick(7.7).kbps == START_KBPS // 4
    assert control.tick(8.9).kbps == FLOOR_KBPS


def test_silence_is_none_once_all_was_drawn() -> None:
    control = RateControl(0.0, CAP)
    control.feedback(5.1, [Packet(5.0, 5.05, 500)])
    control.sent(5.2, 500)
    control.all_drawn()
    assert control.tick(60.0).kbps == START_KBPS
    control.sent(60.0, 500)
    assert control.tick(61.5).kbps == START_KBPS // 2


def test_who_never_gave_feedback_is_not_waited_for_longer_because_all_was_drawn() -> None:
    deaf = RateControl(0.0, CAP)
    deaf.sent(0.5, 500)
    deaf.all_drawn()
    assert deaf.tick(4.0).kbps == CAP


def test_without_feedback_the_cap_holds() -> None:
    deaf = RateControl(0.0, CAP)
    deaf.sent(0.5, 500)
    assert deaf.tick(2.0).kbps == START_KBPS
    assert deaf.tick(4.0).kbps == CAP


def test_a_train_that_came_all_at_once_is_no_measure_of_a_queue() -> None:
    control = RateControl(0.0, CAP)
    control.feedback(1.0, [Packet(0.9 + 0.0001 * n, 0.95 + 0.0001 * n, 1200) for n in range(10)])
    target = control.target_kbps
    control.feedback(1.7, [Packet(1.3 + 0.03 * n, 1.6 + 0.03 * n, 500) for n in range(3)])
    assert control.decision.cause == "delay"
    assert control.target_kbps < target


NUMBER = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-100, 100)
PACKET = st.builds(Packet, NUMBER, st.none() | NUMBER, st.integers(-(2**40), 2**40) | st.integers(0, 1500))


@given(st.lists(st.tuples(st.floats(0, 2), st.lists(PACKET, max_size=30)), max_size=40))
def test_whatever_a_viewer_says_decisions_stay_within_their_limits(
    told: list[tuple[float, list[Packet]]],
) -> None:
    control, now = RateControl(0.0, CAP), 0.0
    for step, packets in told:
        now += step
        control.sent(now, 500)
        for decision in (control.feedback(now, packets), control.tick(now)):
            assert FLOOR_KBPS / 2 <= decision.kbps <= CAP
            assert decision.fps in range(10, 61)
            assert decision.scale in range(50, 101)
            assert FLOOR_KBPS <= control.target_kbps <= CAP
        assert control.decision.kbps <= control.target_kbps
        assert math.isfinite(control.link.loss) and 0 <= control.link.loss <= 1
        assert 0 <= control.link.rtt_s < 61 and 0 <= control.link.queue_s <= 10
