"""Receiver reports: what they say, what they make of the rate on a simulated bottleneck, and hostile ones."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom_guest.stream.bottleneck import CAP, run
from transom_guest.stream.rate import FLOOR_KBPS, START_KBPS, UNREPORTED_S, RateControl
from transom_guest.stream.rate_reports import (
    LEAST_GAP_S,
    MOST_JITTER_S,
    MOST_RTT_S,
    NTP_EPOCH_S,
    Report,
    ReportEstimate,
    report_of,
)

OURS, NOW = 0x1234, 1_790_000_000.5


def block(
    ssrc: int, lost: int, *, jitter: int = 900, trip: float | None = 0.1, waited: float = 0.25
) -> bytes:
    """A report block that comes at NOW."""
    last = 0 if trip is None else round((NOW + NTP_EPOCH_S - trip - waited) * 65536) % 2**32
    return struct.pack("!IB3xIIII", ssrc, lost, 7, jitter, last, round(waited * 65536))


def packet(kind: int, blocks: list[bytes], head: bytes = b"") -> bytes:
    body = struct.pack("!I", 99) + head + b"".join(blocks)
    return struct.pack("!BBH", 0x80 | len(blocks), kind, len(body) // 4) + body


def test_the_block_on_our_stream_is_read_wherever_it_stands() -> None:
    feedback = packet(205, [])
    for rtcp in (
        packet(201, [block(5, 255), block(OURS, 64), block(6, 0)]),
        packet(200, [block(OURS, 64)], head=bytes(20)),
        feedback + packet(201, [block(OURS, 64)]) + feedback,
    ):
        report = report_of(rtcp, OURS, NOW)
        assert report is not None
        assert (report.lost, report.jitter_s) == (0.25, 0.01)
        assert report.rtt_s == pytest.approx(0.1, abs=0.001)
        assert report.waited_s == pytest.approx(0.25, abs=0.001)
    assert report_of(packet(201, [block(5, 64)]), OURS, NOW) is None
    assert report_of(feedback, OURS, NOW) is None


def test_who_has_heard_no_report_of_ours_or_lies_of_it_tells_no_round_trip() -> None:
    for trip in (None, -0.5, MOST_RTT_S + 1):
        report = report_of(packet(201, [block(OURS, 64, trip=trip)]), OURS, NOW)
        assert report == Report(0.25, 0.01, None)


@pytest.mark.parametrize("loss", [0.0, 0.10])
@pytest.mark.parametrize("rtt", [0.02, 0.2])
@pytest.mark.parametrize("kbps", [300, 1000, 3000])
def test_most_of_a_link_is_used_and_its_queue_stays_short(kbps: int, rtt: float, loss: float) -> None:
    seen = run(lambda _: kbps, rtt=rtt, loss=lambda _: loss, seconds=30, reports=True)
    assert seen.kbps(12, 30) >= 0.7 * kbps * (1 - loss)
    late = sorted(queue for at, queue in seen.queues if at > 12)
    assert late[len(late) // 2] < 100
    assert seen.longest_freeze(since=3) < 1.0


def test_a_link_that_drops_is_followed_and_taken_again() -> None:
    seen = run(lambda now: 500 if 15 <= now < 35 else 5000, seconds=60, reports=True)
    late = sorted(queue for at, queue in seen.queues if 20 <= at < 35)
    assert late[len(late) // 2] < 100
    assert seen.kbps(22, 35) >= 0.7 * 500
    assert seen.kbps(52, 60) >= 0.8 * CAP


def test_reports_that_end_halve_the_rate_and_who_never_sends_any_has_the_cap() -> None:
    control = RateControl(0.0, CAP, told=False)
    control.sent(0.5, 500)
    assert control.tick(UNREPORTED_S).kbps == START_KBPS
    assert control.tick(UNREPORTED_S + 1).kbps == CAP
    for second in range(7, 12):
        control.reported(second, Report(0.0, 0.0, 0.05))
    control.sent(11.5, 500)
    assert control.tick(13.0).kbps == CAP
    assert control.tick(15.0).kbps == CAP // 2


def test_without_a_round_trip_loss_alone_decides() -> None:
    targets = []
    for lost in (0.0, 0.05, 0.25):
        control = RateControl(0.0, CAP, told=False)
        for second in range(1, 12):
            for tenth in range(10):
                control.sent(second + tenth / 10, 14_000)
            control.reported(second + 1, Report(lost, 0.0, None))
        targets.append(control.target_kbps)
    more, same, less = targets
    assert less < same == START_KBPS < more


NUMBER = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 1)
REPORT = st.builds(Report, NUMBER, NUMBER, st.none() | NUMBER, NUMBER)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 100_000), REPORT), max_size=60))
def test_whatever_is_reported_decisions_stay_within_their_limits(
    told: list[tuple[float, int, Report]],
) -> None:
    control, now = RateControl(0.0, CAP, told=False), 0.0
    for step, size, report in told:
        now += step
        control.sent(now, size)
        for decision in (control.reported(now, report), control.tick(now)):
            assert FLOOR_KBPS / 2 <= decision.kbps <= CAP
            assert FLOOR_KBPS <= control.target_kbps <= CAP
        assert 0 <= control.link.loss <= 1
        assert 0 <= control.link.queue_s <= MOST_RTT_S and 0 <= control.link.rtt_s <= MOST_RTT_S
        assert math.isfinite(control.link.sent_kbps) and math.isfinite(control.link.arrived_kbps)


def test_a_flood_of_reports_counts_no_more_than_a_few() -> None:
    estimate = ReportEstimate()
    assert sum(estimate.take(n / 1000, Report(0.5, 0.0, 0.1)) for n in range(1001)) <= 1 / LEAST_GAP_S + 1


@given(
    st.binary(max_size=2000)
    | st.lists(st.binary(max_size=24), max_size=40).map(lambda some: packet(201, some[:31]))
)
def test_of_any_bytes_a_report_is_possible_or_none(rtcp: bytes) -> None:
    ssrc = int.from_bytes(rtcp[8:12], "big")
    report = report_of(rtcp, ssrc, NOW)
    if report is not None:
        assert 0 <= report.lost <= 1 and 0 <= report.jitter_s <= MOST_JITTER_S
        assert report.rtt_s is None or 0 <= report.rtt_s <= MOST_RTT_S
        assert 0 <= report.waited_s <= 65536
