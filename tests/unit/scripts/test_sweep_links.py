"""Links one after the other, and drops with their returns, in arithmetic: a few of what `make sweep-links` has."""

from __future__ import annotations

import pytest
from scripts.sweep_links import DROPS, ENOUGH, LINKS, SETTLE_S, Visit, drops, shuffled, summary, tour

QUEUE_MS = 150
"""That 95 of 100 packets find at most, and as much as two of them take..."""
SLOT_S = 0.15
"""Seconds by which a single look may be later."""
LATE = 0.1
"""...and share of the time in which more than 80 ms stand."""


def judge(seen: Visit) -> None:
    kbps = int(seen.link.split()[0].split(">")[-1 if seen.group == "drop" else 0])
    assert seen.used >= ENOUGH, seen
    assert seen.p95_ms < QUEUE_MS + 20_000 / kbps, seen
    assert seen.late_share < LATE, seen
    assert seen.freeze_s < 0.5, seen


@pytest.mark.parametrize("fills", [0.85, 1.0])
@pytest.mark.parametrize(
    "drop", DROPS[2::5], ids=lambda drop: f"{drop[0][0]}-{drop[0][1]}-{drop[1]}-{drop[2]}"
)
def test_four_fifths_are_used_before_a_drop_on_it_and_back(drop, fills: float) -> None:
    found = drops(1, fills, (drop,))
    assert [visit.group for visit in found] == ["before", "drop", "return"]
    for visit in found:
        judge(visit)
    assert found[1].late_s <= SETTLE_S + SLOT_S, "the queue of the drop is gone"


@pytest.mark.parametrize("fills", [0.85, 1.0])
def test_four_fifths_are_used_of_links_in_any_order(fills: float) -> None:
    assert set(shuffled(1)) == set(LINKS)
    found = tour("order", shuffled(1)[:12], 1, fills)
    used = sorted(visit.used for visit in found)
    assert sum(used) / len(used) >= 0.9
    assert sum(share < ENOUGH for share in used) <= 1, "where the way became longer, too"
    assert used[0] >= 0.6
    assert max(visit.freeze_s for visit in found) < 0.5
    assert summary("order", found).startswith("| order | 12 |")
