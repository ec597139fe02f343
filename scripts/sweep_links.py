"""Rate control over many simulated links, in many orders: `make sweep-links`. Some minutes of both processors.

No session and no network: the bottleneck of the unit tests. The same `--seeds` give the same figures, so that two
versions of the controller can be compared: `--json FILE` keeps each visit of a link.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from bisect import bisect
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.unit.transom_guest.stream.bottleneck import CAP, Run, run  # noqa: E402

FILLS = (0.85, 0.92, 1.0)
"""Of what it may send, what the encoder sends."""
SETTLE_S, VISIT_S = 3.0, 12.0
"""Seconds on a link, as in `make bench-links`, and those that do not count."""
QUEUE_S = 0.3
LATE_MS = 80
ENOUGH = 0.8


@dataclass(frozen=True)
class Link:
    """kbit/s, seconds there and back, share lost; with `burst` all is lost for 150 ms each three seconds."""

    kbps: int
    rtt: float
    loss: float
    jitter: float = 0.0
    burst: bool = False

    def lost(self, at: float) -> float:
        """The share that is lost at this second of the visit."""
        return 1.0 if self.burst and at % 3 < 0.15 else self.loss


GRID = tuple(
    Link(kbps, rtt, loss)
    for kbps, rtt, loss in product((3000, 1000, 300), (0.02, 0.08, 0.2), (0.01, 0.05, 0.1))
)
LINKS = (*GRID, Link(3000, 0.08, 0.01, burst=True), Link(3000, 0.08, 0.0, jitter=0.04))
Drop = tuple[tuple[int, int], float, float]
"""kbit/s before and on it, seconds there and back, share lost."""
DROPS: tuple[Drop, ...] = tuple(
    product(((4500, 500), (3000, 300), (4500, 1000), (1000, 300)), (0.02, 0.04, 0.08, 0.2), (0.0, 0.01, 0.05))
)


@dataclass(frozen=True)
class Visit:
    """One link, and what came of it."""

    group: str
    link: str
    fills: float
    used: float
    p95_ms: float
    late_s: float
    """When the queue was last over LATE_MS, looked at over 50 ms each, in the first five seconds."""
    late_share: float
    """Of the time after three seconds, in which it was."""
    over: float
    """The largest target after three seconds, in shares of the link."""
    freeze_s: float


def told(group: str, name: str, seen: Run, link: Link, fills: float, begin: float, end: float) -> Visit:
    """What a run has of the seconds from `begin` to `end`, in which it was on this link."""
    carries = min(link.kbps, CAP) * (1 - link.loss) * (0.95 if link.burst else 1)
    times = [at for at, _ in seen.queues]
    of = seen.queues[bisect(times, begin) : bisect(times, end)]
    slots: dict[int, float] = {}
    for at, queue in of:
        slot = int((at - begin) / 0.05)
        slots[slot] = min(slots.get(slot, 1e9), queue)
    late = [slot * 0.05 for slot, queue in slots.items() if queue > LATE_MS + 10_000 / link.kbps]
    counted = sorted(queue for at, queue in of if at >= begin + SETTLE_S)
    freezes = [at for at in seen.frames if begin <= at < end]
    return Visit(
        group,
        name,
        fills,
        seen.kbps(begin + SETTLE_S, end) / carries,
        counted[int(len(counted) * 0.95)] if counted else 0.0,
        max((at + 0.05 for at in late if at < 5), default=0.0),
        sum(at >= SETTLE_S for at in late) * 0.05 / (end - begin - SETTLE_S),
        max(target for at, target in seen.targets if begin + SETTLE_S <= at < end) / min(link.kbps, CAP),
        max((b - a for a, b in pairwise([begin, *freezes, end])), default=0.0),
    )


def tour(
    group: str, links: tuple[Link, ...], seed: int, fills: float, seconds: float = VISIT_S
) -> list[Visit]:
    """These links one after the other in one connection."""

    def at(now: float) -> Link:
        return links[min(int(now / seconds), len(links) - 1)]

    seen = run(
        lambda now: at(now).kbps,
        rtt=lambda now: at(now).rtt,
        loss=lambda now: at(now).lost(now),
        jitter_s=lambda now: at(now).jitter,
        fills=fills,
        queue_s=QUEUE_S,
        seconds=seconds * len(links) + 1,
        seed=seed,
    )
    return [
        told(group, label(link), seen, link, fills, index * seconds, (index + 1) * seconds)
        for index, link in enumerate(links)
    ]


def label(link: Link) -> str:
    """As in the table of `make bench-links`."""
    more = " bursts" if link.burst else f" jitter {link.jitter * 1000:.0f}" if link.jitter else ""
    return f"{link.kbps} {link.rtt * 1000:.0f} {link.loss:.0%}{more}"


def tasks(seeds: int) -> Iterable[Callable[[], list[Visit]]]:
    """Grid in orders, starts, drops and returns."""
    for seed, fills in product(range(seeds), FILLS):
        yield partial(tour, "order", shuffled(seed), seed, fills)
        yield partial(_starts, seed, fills)
        yield partial(drops, seed, fills)


def shuffled(seed: int) -> tuple[Link, ...]:
    """All links in an order; as they are for 0."""
    return tuple(random.Random(seed).sample(LINKS, len(LINKS))) if seed else LINKS


def _starts(seed: int, fills: float) -> list[Visit]:
    return [visit for link in LINKS for visit in tour("start", (link,), seed, fills)]


def drops(seed: int, fills: float, which: Iterable[Drop] = DROPS) -> list[Visit]:
    """Each link, less of it, and it again."""
    found = []
    for (before, after), rtt, loss in which:
        links = (Link(before, rtt, loss), Link(after, rtt, loss), Link(before, rtt, loss))
        for group, visit in zip(("before", "drop", "return"), tour("", links, seed, fills), strict=True):
            name = f"{before}>{after} {rtt * 1000:.0f} {loss:.0%}"
            found.append(Visit(**(asdict(visit) | {"group": group, "link": name})))
    return found


def quantile(values: list[float], share: float) -> float:
    """Of unsorted values."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else 0.0


HEAD = "| | visits | used, mean | least | under 80 % | queue p95, middle / p95, ms | late after 3 s, share of time"
HEAD += " | over 3 s late | target at most, p95 | pause, p95 / longest, s |"


def summary(name: str, visits: list[Visit]) -> str:
    """A line of the table."""
    used = [visit.used for visit in visits]
    freezes = [visit.freeze_s for visit in visits]
    return (
        f"| {name} | {len(visits)} | {sum(used) / len(used):.1%} | {min(used):.0%}"
        f" | {sum(share < ENOUGH for share in used)} | {quantile([v.p95_ms for v in visits], 0.5):.0f} /"
        f" {quantile([v.p95_ms for v in visits], 0.95):.0f}"
        f" | {sum(v.late_share for v in visits) / len(visits):.2%} | {sum(v.late_s > SETTLE_S for v in visits)}"
        f" | {quantile([v.over for v in visits], 0.95):.2f} | {quantile(freezes, 0.95):.2f} / {max(freezes):.2f} |"
    )


def main() -> None:
    """Print the table, and the links that are worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--links", action="store_true", help="a line for each link, too")
    asked = parser.parse_args()
    os.nice(10)
    with ProcessPoolExecutor() as pool:
        found = [
            visit
            for future in [pool.submit(task) for task in tasks(asked.seeds)]
            for visit in future.result()
        ]
    print(HEAD + "\n|" + "---|" * (HEAD.count("|") - 1))
    for group in dict.fromkeys(visit.group for visit in found):
        print(summary(group, [visit for visit in found if visit.group == group]))
    if asked.links:
        for key in dict.fromkeys((visit.group, visit.link) for visit in found):
            print(summary(": ".join(key), [visit for visit in found if (visit.group, visit.link) == key]))
    if asked.json:
        told_all: list[dict[str, Any]] = [asdict(visit) for visit in found]
        asked.json.write_text(json.dumps(told_all))


if __name__ == "__main__":
    main()
