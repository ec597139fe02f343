"""What leaves at once, and what waits for the link."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.packet_bucket import BURST_S, FIRST_BURST, LEAST_BURST, PACE, PacketBucket

MTU = 1200


def frame(size: int) -> list[bytes]:
    return [bytes(MTU)] * (size // MTU) + [bytes(size % MTU)] * (size % MTU > 0)


def let_out(bucket: PacketBucket, now: float) -> list[tuple[float, bytes]]:
    """All that waits, each packet when it is due."""
    out: list[tuple[float, bytes]] = []
    while (due := bucket.due()) is not None:
        now = max(now, due) + 1e-9
        out += [(now, packet) for packet in bucket.take(now)]
    return out


def test_a_first_picture_waits_for_nothing() -> None:
    bucket = PacketBucket(0.0, 1000)
    assert len(bucket.put(0.1, frame(FIRST_BURST // MTU * MTU))) == FIRST_BURST // MTU
    assert bucket.due() is None


def test_a_frame_that_fits_the_burst_waits_for_nothing() -> None:
    bucket = PacketBucket(0.0, 1000)
    bucket.carry(0.0, 300, 300)
    for step in range(1, 20):
        assert len(bucket.put(step, frame(4 * MTU))) == 4
    assert bucket.queued == 0 and bucket.empty_in(20.0) == 0.0


def test_a_large_frame_leaves_at_the_pace_and_not_at_once() -> None:
    bucket = PacketBucket(0.0, 1000)
    bucket.carry(0.0, 1000, 1000)
    at_once = bucket.put(1.0, frame(50_000))
    assert len(at_once) == round(PACE * 125_000 * BURST_S) // MTU
    takes = bucket.empty_in(1.0)
    last, _ = let_out(bucket, 1.0)[-1]
    assert abs(last - 1.0 - takes) < 0.01
    assert abs(takes - 50_000 / (PACE * 125_000)) < 0.03


def test_on_a_link_that_has_proved_to_be_fast_a_large_frame_leaves_at_once() -> None:
    bucket = PacketBucket(0.0, 1000)
    bucket.carry(0.0, 2000, 60_000)
    assert len(bucket.put(1.0, frame(120_000))) == 100


def test_what_is_sent_again_is_room_that_frames_have_not() -> None:
    bucket = PacketBucket(0.0, 1000)
    bucket.carry(0.0, 300, 300)
    for _ in range(4):
        bucket.spent(1.0, MTU)
    assert bucket.put(1.0, frame(2 * MTU)) == []
    assert bucket.queued == 2 * MTU


def test_what_waits_can_be_forgotten() -> None:
    bucket = PacketBucket(0.0, 300)
    bucket.put(0.0, frame(100_000))
    assert bucket.queued
    bucket.clear()
    assert bucket.due() is None and bucket.queued == 0


@given(
    st.integers(150, 20_000),
    st.lists(st.tuples(st.floats(0, 0.3), st.integers(1, 60_000), st.booleans()), min_size=1, max_size=30),
)
def test_no_packet_is_lost_or_overtaken_and_no_interval_has_more_than_a_burst_and_the_pace(
    kbps: int, pushed: list[tuple[float, int, bool]]
) -> None:
    bucket, now = PacketBucket(0.0, 1000), 10.0
    bucket.carry(0.0, kbps, 0)
    given_in: list[bytes] = []
    left: list[tuple[float, bytes]] = []
    for step, size, again in pushed:
        until = now + step
        while (due := bucket.due()) is not None and due <= until:
            now = max(now, due) + 1e-9
            left += [(now, packet) for packet in bucket.take(now)]
        now = max(now, until)
        if again:
            bucket.spent(now, MTU)
        packets = [bytes([n % 251]) * len(packet) for n, packet in enumerate(frame(size))]
        given_in += packets
        left += [(now, packet) for packet in bucket.put(now, packets)]
    left += let_out(bucket, now)
    assert [packet for _, packet in left] == given_in
    assert bucket.queued == 0
    burst = max(round(PACE * kbps * 125 * BURST_S), LEAST_BURST)
    first, sent = left[0][0], 0
    for at, packet in left:
        sent += len(packet)
        assert sent <= burst + (at - first) * PACE * kbps * 125 + MTU
