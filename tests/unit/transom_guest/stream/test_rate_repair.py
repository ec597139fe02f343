"""Packets are sent again only as the link has room for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.rate_repair import (
    HOPELESS,
    HOPELESS_S,
    NUMBERS,
    PACKET_BYTES,
    SAVED_S,
    SHARE,
    Repairs,
)


def test_without_feedback_whatever_is_asked_for_is_sent_again() -> None:
    repairs = Repairs()
    assert all(repairs.take(1.0, number % 3) for number in range(1000))


def test_a_packet_on_its_way_is_not_sent_once_more() -> None:
    repairs = Repairs()
    repairs.kbps, repairs.rtt_s = 2000, 0.1
    assert repairs.take(1.0, 7)
    assert not repairs.take(1.05, 7)
    assert repairs.take(1.06, 8)
    assert repairs.take(1.2, 7)


def test_when_too_much_is_lost_a_key_frame_is_due_instead_and_not_again_at_once() -> None:
    repairs = Repairs()
    repairs.kbps, repairs.rtt_s = 300, 0.1
    granted = sum(repairs.take(1.0, number) for number in range(HOPELESS))
    assert 0 < granted < HOPELESS
    assert not repairs.hopeless(1.0)
    for number in range(100, 100 + HOPELESS):
        repairs.take(1.0, number)
    assert repairs.hopeless(1.0) and not repairs.hopeless(1.0)
    assert not any(repairs.take(1.9, number) for number in range(200)), "it takes the room of the key frame"
    for number in range(200, 200 + 2 * HOPELESS):
        repairs.take(1.0 + HOPELESS_S, number)
    assert not repairs.hopeless(1.0 + HOPELESS_S)
    assert repairs.hopeless(1.0 + HOPELESS_S + 0.2)


def test_what_a_key_frame_replaces_is_not_sent_again_once_that_was_hopeless() -> None:
    repairs = Repairs()
    repairs.kbps = 300
    repairs.renewed(40)
    assert repairs.take(1.0, 39), "it may come before the key frame"
    for number in range(40, 50 + HOPELESS):
        repairs.take(1.0, number)
    assert repairs.hopeless(1.0)
    repairs.renewed(100)
    assert not repairs.take(3.0, 99) and repairs.take(3.0, 100)


def test_a_key_frame_makes_up_for_what_was_missing() -> None:
    repairs = Repairs()
    repairs.kbps = 300
    for number in range(3 * HOPELESS):
        repairs.take(1.0, number)
    repairs.renewed(3 * HOPELESS)
    assert not repairs.hopeless(1.0)


def test_what_was_lost_before_a_key_frame_is_no_reason_for_another() -> None:
    for first in (500, 3, 0):
        repairs = Repairs()
        repairs.kbps = 300
        repairs.renewed(first)
        for number in range(1, 2 * HOPELESS):
            repairs.take(1.0, (first - number) % NUMBERS)
        assert not repairs.hopeless(1.0)
        for number in range(2 * HOPELESS):
            repairs.take(1.0, (first + number) % NUMBERS)
        assert repairs.hopeless(1.0)


def test_packets_that_are_asked_for_again_count_once() -> None:
    repairs = Repairs()
    repairs.kbps = 300
    for _ in range(50):
        for number in range(HOPELESS // 2):
            repairs.take(1.0, number)
    assert not repairs.hopeless(1.0)


@given(st.integers(1, 20_000), st.lists(st.tuples(st.floats(0, 0.2), st.integers(0, 65_535)), max_size=300))
def test_repairs_take_no_more_than_their_share(kbps: int, asked: list[tuple[float, int]]) -> None:
    repairs, now, sent = Repairs(), 0.0, 0
    repairs.kbps = kbps
    for step, number in asked:
        now += step
        sent += repairs.take(now, number)
    rate = kbps * 125 * SHARE
    assert SHARE <= 0.4, "what is new goes first"
    assert sent * PACKET_BYTES <= max(rate * SAVED_S, 2 * PACKET_BYTES) + rate * now + 1
