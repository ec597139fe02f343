"""What the spacing of packets promises, how far it is followed, and when no more."""

from __future__ import annotations

import math

import pytest

from tests.unit.transom_guest.stream.bottleneck import run
from transom_guest.stream.rate_ceiling import CEILING_S, RAISE, RAISE_NEAR, Ceiling
from transom_guest.stream.rate_estimate import PAIRS, LinkEstimate, Packet
from transom_guest.stream.rate_promise import BROKEN_S, FAST, OVER, SHARE, Promise


def frames(count: int, sent_gap: float, gap: float, lost: int = -1) -> list[Packet]:
    """Frames of three packets, sent and come through with these seconds between two; the packet `lost` is."""
    return [
        Packet(10 + n / 30 + k * sent_gap, None if n * 3 + k == lost else 11 + n / 30 + k * gap, 1250)
        for n in range(count)
        for k in range(3)
    ]


def test_packets_that_left_at_once_tell_what_a_link_carries() -> None:
    link = LinkEstimate()
    link.take(12.0, frames(PAIRS, 0.0001, 0.01, lost=4))
    assert link.pair_kbps == 0.0, "of three frames, for the fourth's was lost"
    link.take(12.1, frames(PAIRS, 0.0001, 0.01))
    assert link.pair_kbps == pytest.approx(1000)
    apart = LinkEstimate()
    apart.take(12.0, frames(PAIRS, 0.01, 0.01))
    assert apart.pair_kbps == 0.0, "they left as far apart as they came"


def test_a_step_goes_no_further_than_what_is_promised_and_faster_far_below_it() -> None:
    promise = Promise()
    assert promise.step(500, RAISE, near=False) == RAISE
    promise.take(1.0, 3000)
    assert promise.step(500, RAISE, near=False) == FAST
    assert promise.step(500, RAISE, near=True) == RAISE
    assert promise.step(3000, RAISE, near=False) == pytest.approx(OVER)
    assert promise.step(5000, RAISE, near=False) == RAISE_NEAR


def test_a_link_that_is_back_has_another_ceiling_and_a_promise_that_was_none_is_followed_no_more() -> None:
    promise, known = Promise(), Ceiling(500, 1.0)
    promise.take(1.0, 600)
    assert promise.ceiling(1.0, known) == known
    promise.take(2.0, 3000)
    assert promise.ceiling(2.0, known) == Ceiling(SHARE * 3000, 2.0)
    promise.over_used(2.0 + BROKEN_S + 0.1)
    promise.take(5.0, 3000)
    assert promise.ceiling(5.0, known).kbps == SHARE * 3000, "a queue that came later says nothing of it"
    promise.over_used(6.0)
    promise.take(6.1, 3000)
    assert promise.ceiling(6.1, known) == known
    assert promise.step(500, RAISE, near=False) == RAISE, "it is no reason for a longer step either"
    assert promise.step(3000, RAISE, near=False) == pytest.approx(OVER), "but one for a shorter"
    promise.take(6.0 + CEILING_S, 3000)
    assert promise.ceiling(6.0 + CEILING_S, known).kbps == SHARE * 3000


@pytest.mark.parametrize("fills", [0.85, 1.0])
@pytest.mark.parametrize("rtt", [0.02, 0.08, 0.2])
def test_a_link_that_is_back_is_used_within_three_seconds(rtt: float, fills: float) -> None:
    seen = run(lambda now: 500 if 12 <= now < 24 else 3000, rtt=rtt, fills=fills, queue_s=0.3, seconds=30)
    assert max(target for at, target in seen.targets if 20 < at < 24) < 1000
    assert seen.kbps(27, 30) >= 0.7 * 3000
    late = sorted(queue for at, queue in seen.queues if at >= 24)
    assert late[int(len(late) * 0.95)] < 120


@pytest.mark.parametrize("kbps", [300, 1000, 3000])
@pytest.mark.parametrize("together_s", [0.01, 0.03])
def test_a_receiver_that_takes_packets_in_together_promises_too_much_and_has_no_queue(
    kbps: int, together_s: float
) -> None:
    p95 = []
    for seed in (1, 2):
        seen = run(
            lambda _: kbps,
            stalls=lambda at: math.ceil(at / together_s) * together_s,
            fills=0.85,
            seed=seed,
            seconds=24,
        )
        assert seen.kbps(12, 24) >= 0.8 * kbps
        late = sorted(queue for at, queue in seen.queues if at > 12)
        p95.append(late[int(len(late) * 0.95)])
    assert sum(p95) / len(p95) < 160, p95


def test_where_less_is_sent_than_promised_a_queue_is_none_of_ours() -> None:
    promise = Promise()
    assert not promise.room(1.0, 100)
    promise.take(1.0, 1000)
    assert promise.room(1.0, 800)
    assert not promise.room(1.0, 900)
    promise.over_used(2.0)
    promise.take(2.1, 1000)
    assert not promise.room(2.1, 100), "it was one"


@pytest.mark.parametrize(("kbps", "rtt", "more"), [(300, 0.02, 0.06), (1000, 0.02, 0.06)])
def test_a_way_that_became_longer_on_a_slow_link_is_used(kbps: int, rtt: float, more: float) -> None:
    used = []
    for seed in (1, 2, 3, 4):
        seen = run(
            lambda _: kbps,
            rtt=lambda now: rtt if now < 12 else rtt + more,
            loss=lambda now: 0.1 if now < 12 else 0.01,
            fills=0.85,
            queue_s=0.3,
            seconds=24,
            seed=seed,
        )
        used.append(seen.kbps(15, 24) / (kbps * 0.99))
    assert sum(used) / len(used) >= 0.8, used
