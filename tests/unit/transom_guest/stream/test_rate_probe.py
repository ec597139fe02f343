"""Padding that asks a link for more: when, how much, and what its coming through says."""

from __future__ import annotations

import pytest

from tests.unit.transom_guest.stream.bottleneck import CAP, run
from transom_guest.stream.rate import FLOOR_KBPS, RateControl
from transom_guest.stream.rate_estimate import PADDING_BYTES, LinkEstimate, Packet
from transom_guest.stream.rate_probe import EVERY_S, FULL_S, LEAST, LIMITED_S, LOST_S, MOST, ROOM, Probe

RTT = 0.05


def probe(at: float, sent_gap: float, gap: float, count: int = 8) -> list[Packet]:
    """Padding, sent and come through with these seconds between two."""
    return [Packet(at + n * sent_gap, at + 1 + n * gap, PADDING_BYTES, True) for n in range(count)]


def test_one_probe_is_out_at_a_time_and_a_lost_one_is_waited_for() -> None:
    asked = Probe()
    assert asked.packets(10.0, 1000, limited=False) == asked.packets(10.1, 1000, limited=False) > 0
    asked.left(10.2, RTT)
    assert asked.packets(10.3, 1000, limited=False) == 0
    assert asked.packets(10.2 + LOST_S + RTT, 1000, limited=False) > 0


def test_one_that_found_room_is_followed_soon_and_another_later() -> None:
    asked = Probe()
    asked.heard(10.0, 1000 * ROOM, 1000, RTT)
    assert asked.packets(10.0 + EVERY_S + RTT, 1000, limited=False) > 0
    assert asked.packets(10.0 + EVERY_S + RTT, 1000, limited=True) == 0
    assert asked.packets(10.0 + LIMITED_S + RTT, 1000, limited=True) > 0
    asked.heard(20.0, 1000 * ROOM - 1, 1000, RTT)
    assert asked.packets(20.0 + FULL_S - 0.01, 1000, limited=False) == 0
    assert asked.packets(20.0 + FULL_S, 1000, limited=False) > 0


@pytest.mark.parametrize("kbps", [FLOOR_KBPS, 1000, 50_000])
def test_a_probe_is_short_and_enough_to_measure(kbps: int) -> None:
    assert LEAST <= Probe().packets(0.0, kbps, limited=False) <= MOST
    assert LEAST * PADDING_BYTES * 8 / FLOOR_KBPS < 150, "milliseconds on the slowest link"


def test_what_only_one_probe_found_is_not_known_and_a_queue_ends_it() -> None:
    asked = Probe()
    asked.heard(1.0, 3000, 1000, RTT)
    assert asked.agreed_kbps == 0
    asked.heard(2.0, 2000, 1000, RTT)
    assert (asked.agreed_kbps, asked.most_kbps) == (2000, 3000)
    asked.over_used(3.0)
    assert asked.agreed_kbps == 0
    assert asked.packets(3.1, 1000, limited=False) == 0
    asked.mistaken(3.1)
    assert asked.packets(3.1, 1000, limited=False) > 0


def test_a_probe_measures_the_link_and_not_how_it_was_sent() -> None:
    link = LinkEstimate()
    link.take(12.0, probe(10.0, 0.0001, 0.01))
    assert link.probed
    assert link.train_kbps == pytest.approx(PADDING_BYTES * 8 / 10, rel=0.01)
    assert link.train_sent_kbps > 10 * link.train_kbps
    link.take(12.1, [Packet(11.9, 12.95, 1200)])
    assert not link.probed


def test_a_probe_in_two_feedbacks_is_one() -> None:
    link, told = LinkEstimate(), probe(10.0, 0.001, 0.01)
    link.take(12.0, told[:4])
    assert not link.probed
    link.take(12.1, told[4:])
    assert link.probed
    assert link.train_kbps == pytest.approx(PADDING_BYTES * 8 / 10, rel=0.01)


def test_a_still_desktop_is_never_padded() -> None:
    control, now, asked = RateControl(0.0, CAP), 0.0, 0
    for _ in range(300):
        now += 0.1
        control.sent(now - 0.05, 500)
        control.feedback(now, [Packet(now - 0.05, now, 500)])
        asked += control.padding(now)
    assert asked == 0


def test_a_link_that_is_back_is_found_by_padding_soon() -> None:
    seen = run(lambda now: 300 if 12 <= now < 24 else 3000, fills=0.85, seconds=32)
    assert max(target for at, target in seen.targets if 22 < at < 24) < 600
    assert next(at for at, target in seen.targets if at > 24 and target >= 2000) < 24 + 6


def test_a_full_link_is_padded_little() -> None:
    seen = run(lambda _: 1000, seconds=30)
    assert 0 < seen.padding * 8 / 1000 / 30 < 0.06 * 1000
