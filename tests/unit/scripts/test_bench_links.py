"""The grid of links, and the figures of one."""

from __future__ import annotations

from scripts.bench_links import cells, measured, row

from tests.support.link_session import Look, Watched


def test_the_grid_has_each_bitrate_with_each_round_trip_and_loss() -> None:
    grid = {(each.down.kbps, each.down.delay_ms + each.up.delay_ms, each.down.loss) for each in cells(set())}
    for kbps in (300, 1000, 3000):
        for rtt in (20, 80, 200):
            for loss in (0.01, 0.05, 0.1):
                assert (kbps, rtt, loss) in grid


def test_a_group_or_a_link_can_be_chosen() -> None:
    assert {each.down.kbps for each in cells({"300"})} == {300}
    assert [each.name for each in cells({"1000 80 5%"})] == ["1000 80 5%"]
    assert [each.down.kbps for each in cells({"drop"})] == [5000, 500, 5000]


def test_figures_are_of_what_is_counted_and_freezes_of_both() -> None:
    cell = cells({"1000 80 1%"})[0]
    looks = [
        Look(second / 4, 10.0, int(second / 4 * 100_000), 0, 0, 900, 60, 100, "probe", 90.0)
        for second in range(57)
    ]
    pictures = [(at / 10, at) for at in range(1, 140) if not 100 < at < 108]
    told = measured(cell, Watched(14.0, pictures, looks))
    assert told["kbps"] == 800
    assert told["used"] == 0.808
    assert told["freezes"] == 1 and told["longest_s"] == 0.8
    assert 9 < told["fps"] <= 10
    assert row(told).startswith("| 1000 80 1% | 81 |")
