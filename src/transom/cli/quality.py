"""transom session quality: what a session's picture was like, a line for each figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from statistics import median
from typing import Any

from transom.cli.client import connect
from transom.cli.options import AsJson, State
from transom.cli.output import show_json, show_rows, when

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 48
"""Characters of a line, each the largest of its part of the time."""
ROWS = "3000"
FIGURES = (
    ("latency_ms", "input to picture", "ms", 1.0),
    ("latency_p95_ms", "of a hundred the 95th", "ms", 1.0),
    ("fps", "frames", "fps", 1.0),
    ("kbps", "bitrate", "kbit/s", 1.0),
    ("target_kbps", "aimed at", "kbit/s", 1.0),
    ("loss", "loss", "%", 100.0),
    ("jitter_ms", "jitter", "ms", 1.0),
    ("rtt_ms", "round trip", "ms", 1.0),
    ("frozen_ms", "frozen", "ms", 1.0),
)
COLUMNS = ("figure", "median", "most", "unit", "from first to last")


def show(session: str, state: State = None, as_json: AsJson = False) -> None:
    """What the picture of a session, living or over, was like."""
    found = connect(state).get("sessions", session, "quality", limit=ROWS)
    if as_json:
        show_json(found)
        return
    if not found["viewers"]:
        print("Nobody has watched long enough to tell.")
    for viewer in found["viewers"]:
        rows = viewer["rows"]
        seconds = sum(row["seconds"] for row in rows)
        began, ended = rows[0]["at"] - 1000 * rows[0]["seconds"], rows[-1]["at"]
        print(f"Viewer {viewer['viewer']}: {when(began)} to {when(ended)}, {seconds / 60:.1f} min watched")
        print(f"  {_ladder(rows)}")
        if viewer["candidates"]:
            print(f"  Candidates: {viewer['candidates']}")
        show_rows(lines(rows), COLUMNS, as_json=False, none="")


def lines(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line for each figure that was known."""
    found = []
    for name, words, unit, factor in FIGURES:
        values = [row["figures"][name] * factor if name in row["figures"] else None for row in rows]
        known = [value for value in values if value is not None]
        if known:
            line = (words, _short(median(known)), _short(max(known)), unit, sparkline(values))
            found.append(dict(zip(COLUMNS, line, strict=True)))
    return found


def sparkline(values: Sequence[float | None], width: int = WIDTH) -> str:
    """Values as bars from 0 to the largest; a blank where none is known."""
    top = max((value for value in values if value is not None), default=0)
    size = max(1, math.ceil(len(values) / width))
    parts = [values[start : start + size] for start in range(0, len(values), size)]
    return "".join(_bar([value for value in part if value is not None], top) for part in parts)


def _bar(values: Sequence[float], top: float) -> str:
    if not values:
        return " "
    part = max(values) / top if top > 0 else 0
    return BARS[min(int(part * len(BARS)), len(BARS) - 1)]


def _ladder(rows: Sequence[dict[str, Any]]) -> str:
    stretches = [(rung, list(same)) for rung, same in groupby(rows, lambda row: str(row["rung"]))]
    return ", then ".join(f"{rung} {sum(row['seconds'] for row in same):.0f} s" for rung, same in stretches)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
