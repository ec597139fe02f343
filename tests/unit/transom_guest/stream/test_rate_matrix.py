"""The promises of a poor link by their own numbers, in simulated time: a real session's bounds allow for a busy host.

`test_rate.py` has the grid of bandwidth, way and loss; here are the drop and the bursts on each of them.
"""

from __future__ import annotations

import statistics

import pytest

from tests.unit.transom_guest.stream.bottleneck import CAP, MTU, Run, run

USED = 0.8
"""Share of what a link carries that is used, at least, where the content wants it."""
FREEZE_S = 1.0
NEAR_MS = 80
"""Milliseconds over the round trip that a packet takes on the slow link: its queue, and its own time."""
OWN_MS = MTU * 8 / 500
OFTEN = 0.8
"""So many packets have that, but for one more packet before them: a probe is a queue for a moment. It is the share
that a real session is held to; the least of these links has 0.88."""
DROPS_AT, BACK_AT, END = 12, 24, 34
AFTER = 3
"""Seconds that a link may have been another before it counts."""
BURST_S, EACH_S = 0.15, 3
"""All is lost for so long, so often."""


def waits(seen: Run, since: float, until: float) -> list[float]:
    """Milliseconds of each packet on the slow link over its way, the shortest first."""
    return sorted(queue + OWN_MS for at, queue in seen.queues if since <= at < until)


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.05, 0.10])
@pytest.mark.parametrize("rtt", [0.02, 0.08, 0.2])
def test_from_5_to_half_a_megabit_latency_is_back_within_three_seconds_and_both_are_used(
    rtt: float, loss: float
) -> None:
    seen = run(
        lambda now: 500 if DROPS_AT <= now < BACK_AT else 5000, rtt=rtt, loss=lambda _: loss, seconds=END
    )
    settled = DROPS_AT + AFTER
    assert statistics.median(waits(seen, settled, settled + 1)) < NEAR_MS
    slow = waits(seen, settled, BACK_AT)
    assert slow[int(len(slow) * OFTEN)] < NEAR_MS + OWN_MS
    assert seen.kbps(settled, BACK_AT) >= USED * 500 * (1 - loss)
    assert seen.kbps(BACK_AT + AFTER, END) >= USED * CAP * (1 - loss)
    assert seen.longest_freeze(since=AFTER) < FREEZE_S


@pytest.mark.parametrize("rtt", [0.02, 0.08, 0.2])
@pytest.mark.parametrize("kbps", [300, 1000, 3000])
def test_a_link_of_bursts_is_used_and_its_picture_goes_on(kbps: int, rtt: float) -> None:
    carried = 0.99 * (1 - BURST_S / EACH_S)
    seen = run(
        lambda _: kbps, rtt=rtt, loss=lambda now: 1.0 if now % EACH_S < BURST_S else 0.01, seconds=BACK_AT
    )
    assert seen.kbps(DROPS_AT, BACK_AT) >= USED * kbps * carried
    assert seen.longest_freeze(since=AFTER) < FREEZE_S
