"""The stream on slow, long and lossy links: `make bench-links`, or in pieces

    python scripts/bench_links.py --cells 300 --add

One session and one viewer; the link between them changes in place. Needs root (namespaces and TUN), not `tc netem`.
Writes `build/bench/links.json` and prints a table.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from bench.processes import busy  # noqa: E402
from tests.support.link_emulator import Shape  # noqa: E402
from tests.support.link_session import LinkSession, Watched, link_session  # noqa: E402

SETTLE_S = 3.0
"""Seconds after a change of the link that are looked at, but not counted."""
COUNTED_S = 9.0
CAP_KBPS = 5000
"""What the picture may take: the links are to limit it."""
FREEZE_S = 0.5
KBPS, RTT_MS, LOSS = (3000, 1000, 300), (20, 80, 200), (1, 5, 10)
COLUMNS = (
    "link",
    "used, %",
    "pictures a second",
    "freezes over 0.5 s",
    "longest, s",
    "queue p50 / p95, ms",
    "input to picture, ms",
    "packets dropped / lost",
    "target, kbit/s, scale",
)


@dataclass(frozen=True)
class Cell:
    """One link."""

    name: str
    down: Shape
    up: Shape
    seconds: float = COUNTED_S
    settle: float = SETTLE_S

    @property
    def carries(self) -> float:
        """kbit/s that can come through at most, after loss."""
        return self.down.kbps * (1 - self.down.loss)


def link(name: str, kbps: float, rtt: float, loss: float = 0.0, **more: float) -> Cell:
    """`rtt` in milliseconds, `loss` in percent, both ways' delay half of the first."""
    down = Shape(kbps=kbps, delay_ms=rtt / 2, loss=loss / 100, **more)
    return Cell(name, down, Shape(delay_ms=rtt / 2))


def cells(which: set[str]) -> list[Cell]:
    """The links of the groups that are wanted: of a bitrate, `bursts`, `jitter`, `drop`; a single cell by its name."""
    found = {
        str(kbps): [link(f"{kbps} {rtt} {loss}%", kbps, rtt, loss) for rtt, loss in product(RTT_MS, LOSS)]
        for kbps in KBPS
    }
    found["bursts"] = [link("3000 80 bursts", 3000, 80, 1, burst_every_s=3, burst_ms=150)]
    found["jitter"] = [link("3000 80 jitter", 3000, 80, 0, jitter_ms=40)]
    before, after = link("5000 40, 1st", 5000, 40), link("5000 40, again", 5000, 40)
    fallen = link("then 500", 500, 40)
    found["drop"] = [before, Cell(fallen.name, fallen.down, fallen.up, 12, 0), after]
    return [each for group, some in found.items() for each in some if not which or which & {group, each.name}]


def measured(cell: Cell, seen: Watched) -> dict[str, Any]:
    """The figures of one link."""
    since, last = cell.settle, seen.looks[-1]
    counted = [look for look in seen.looks if look.at >= since]
    late = [look.latency_ms for look in counted if look.latency_ms is not None]
    over = [look.at for look in seen.looks if look.queue_ms > 80]
    return {
        "link": cell.name,
        "shape": {"down": vars(cell.down), "up": vars(cell.up)},
        "kbps": round(seen.used(since), 1),
        "used": round(seen.used(since) / cell.carries, 3),
        "fps": round(sum(at > since for at, _ in seen.pictures) and _fps(seen, since), 1),
        "freezes": seen.freezes(FREEZE_S, since),
        "longest_s": round(seen.longest_gap(since), 2),
        "longest_at_change_s": round(seen.longest_gap(), 2),
        "queue_ms": [round(seen.queue_ms(since, share), 1) for share in (0.5, 0.95)],
        "queue_last_over_80_ms_at_s": round(max(over), 2) if over else None,
        "latency_ms": round(sorted(late)[len(late) // 2], 1) if late else None,
        "dropped": last.dropped - counted[0].dropped,
        "lost": last.lost - counted[0].lost,
        "target_kbps": last.target_kbps,
        "scale": sorted({look.scale for look in counted if look.scale}),
        "trace": [
            [round(look.at, 2), look.target_kbps, look.cause, round(look.queue_ms), look.fps, look.scale]
            for look in seen.looks
        ],
    }


def _fps(seen: Watched, since: float) -> float:
    counts = [frames for at, frames in seen.pictures if at >= since]
    # a peer that was built anew counts from none again
    return sum(max(b - a, 0) for a, b in pairwise(counts)) / (seen.seconds - since)


def run(session: LinkSession, wanted: list[Cell]) -> list[dict[str, Any]]:
    """All cells, one after the other."""
    session.page.locator("#screen").click()
    session.watch(4, Shape(), Shape())
    found = []
    for cell in wanted:
        used, began = busy(), time.monotonic()
        seen = session.watch(cell.settle + cell.seconds, cell.down, cell.up, keys=True)
        told = measured(cell, seen)
        told["host_cores"] = round((busy() - used) / (time.monotonic() - began), 2)
        told["load"] = os.getloadavg()[0]
        print(row(told), file=sys.stderr, flush=True)
        found.append(told)
    return found


def row(told: dict[str, Any]) -> str:
    """A line of the table."""
    median, late = told["queue_ms"]
    fields = (
        told["link"],
        f"{told['used'] * 100:.0f}",
        told["fps"],
        told["freezes"],
        told["longest_s"],
        f"{median:.0f} / {late:.0f}",
        "-" if told["latency_ms"] is None else f"{told['latency_ms']:.0f}",
        f"{told['dropped']} / {told['lost']}",
        f"{told['target_kbps']}, {'-'.join(str(each) for each in told['scale'])}",
    )
    return "| " + " | ".join(str(field) for field in fields) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", default="", help="groups or links, with commas between; all without")
    parser.add_argument("--add", action="store_true", help="to what was measured before")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench" / "links.json")
    wanted = parser.parse_args()
    chosen = cells({each.strip() for each in wanted.cells.split(",") if each.strip()})
    with link_session(kbps=CAP_KBPS) as session:
        found = run(session, chosen)
    before = json.loads(wanted.out.read_text()) if wanted.add and wanted.out.exists() else []
    new = {told["link"] for told in found}
    found = [told for told in before if told["link"] not in new] + found
    wanted.out.parent.mkdir(parents=True, exist_ok=True)
    wanted.out.write_text(json.dumps(found, indent=1))
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    print("\n".join(map(row, found)))


if __name__ == "__main__":
    main()
