from __future__ import annotations

from transom_keeper.door_limits import Allowance


def test_an_allowance_holds_its_seconds_and_fills_again() -> None:
    left = Allowance(packets=10, size=1_000, now=0, seconds=2)
    assert [left.take(1, 0) for _ in range(21)] == [True] * 20 + [False]
    assert [left.take(1, 1) for _ in range(11)] == [True] * 10 + [False]


def test_bytes_are_counted_beside_packets() -> None:
    left = Allowance(packets=10, size=1_000, now=0, seconds=1)
    assert left.take(1_000, 0)
    assert not left.take(1, 0)
    assert left.take(500, 0.5)
