"""Clicks on a dashboard card, and when what happened on the way to the first frame: in the page, and in the machine.

All times are Unix milliseconds of this host, so pages and machines can be put on one line.
"""

from __future__ import annotations

import re
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from measure import READ_MS, Bench, quantiles
from playwright.sync_api import Page

CLICKED = """(() => {
  addEventListener("click", ({ timeStamp }) => {
    sessionStorage.setItem("clicked", String(performance.timeOrigin + timeStamp));
  }, { capture: true });
})()"""
"""In every page: when it was clicked last, for the page that it leads to."""
READ = """() => {
  const origin = performance.timeOrigin, [page] = performance.getEntriesByType("navigation");
  // Of a page that was opened in the dashboard's place there was no load.
  const load = page.name === location.href ? { navigated: 0, head: page.responseEnd, parsed: page.domInteractive } : {};
  const at = { ...load, ...window.marks };
  for (const name in at) at[name] += origin;
  return { clicked: Number(sessionStorage.getItem("clicked")), ...at };
}"""
STAGES = ("machine", "claimed", "guest", "ready")
"""Of the session's timeline: what the server notes."""
PEER = {
    "offered": "is offered",
    "answered": "is answered",
    "encoded": "has its first frame",
    "linked": "is connected",
}
"""What the machine's log says of a peer."""
LINE = re.compile(r"(\d\d):(\d\d):(\d\d)\.(\d{3}) transom\.stream INFO peer \S+ (.*)")
DAY_MS = 86_400_000


def clicks(
    bench: Bench, machines: Path, count: int, card: str, look_ms: float = READ_MS, seconds: float = 60
) -> dict[str, Any]:
    """Quantiles of the time from the click to the frame, a new machine each time; and medians of when each thing
    happened on the way. `machines` is the folder of the server's machines."""
    rows, warm = [], 0
    for _ in range(count):
        page, session = bench.clicked(card, look_ms, seconds)
        page.wait_for_function("() => window.marks?.frame", timeout=seconds * 1000, polling=20)
        rows.append(happened(bench, page, session, machines))
        warm += bench.state(session)["warm"]
        print(f"click {len(rows)}: {rows[-1]['frame']:.0f} ms", file=sys.stderr, flush=True)
        page.close()
        bench.end(session)
    names = sorted({name for row in rows for name in row}, key=lambda name: _median(rows, name))
    medians = {name: round(_median(rows, name)) for name in names}
    return quantiles([row["frame"] for row in rows]) | {"warm": warm, "medians": medians}


def happened(bench: Bench, page: Page, session: str, machines: Path) -> dict[str, float]:
    """When each thing happened, in milliseconds since the click."""
    marks: dict[str, float] = page.evaluate(READ)
    clicked = marks.pop("clicked")
    while "first_frame" not in (found := bench.state(session))["timeline"]:
        time.sleep(0.05)
    began = found["created_at"]
    noted = {f"server_{stage}": began + at for stage, at in found["timeline"].items() if stage in STAGES}
    noted |= {"server_accepted": began, "server_told": began + found["timeline"]["first_frame"]}
    log = machines / found["machine"] / "guest.log"
    guest = {f"guest_{what}": at for what, at in _peer(log.read_text(errors="replace"), clicked)}
    return {name: at - clicked for name, at in (marks | noted | guest).items()}


def _peer(log: str, clicked: float) -> Iterator[tuple[str, float]]:
    """What the log says of the first peer after the click."""
    seen = set()
    midnight = datetime.fromtimestamp(clicked / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for hours, minutes, secs, millis, what in LINE.findall(log):
        at = (
            midnight.timestamp() * 1000
            + ((int(hours) * 60 + int(minutes)) * 60 + int(secs)) * 1000
            + int(millis)
        )
        at += DAY_MS if at < clicked - DAY_MS / 2 else 0
        for name, words in PEER.items():
            if what.startswith(words) and at >= clicked and name not in seen:
                seen.add(name)
                yield name, at


def _median(rows: list[dict[str, float]], name: str) -> float:
    return statistics.median(row[name] for row in rows if name in row)
