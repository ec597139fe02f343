"""What a viewer's picture was like over some seconds, and how many such rows become fewer. Pure.

A figure's name ends in its unit, and says how two of them become one: `_least` the smaller, `_most` and `_p95_ms`
the larger, the counts of freezes their sum; every other the mean, weighted by how long each lasted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Literal

Rung = Literal["webrtc", "webrtc-relay", "vnc"]
FIGURES = (
    *("fps", "fps_least", "fps_most", "kbps", "kbps_least", "kbps_most"),
    *("latency_ms", "latency_p95_ms", "rtt_ms", "rtt_most_ms", "jitter_ms", "jitter_most_ms"),
    *("loss", "freezes", "frozen_ms", "target_kbps", "scale"),
)
"""Names of figures. `loss` is from 0 to 1, `scale` in percent of the desktop's size."""
WORDS = ("local", "remote", "transport", "cause")
"""Names of words: both ends of the selected candidate pair, how it travels, and why the target rate is what it is."""
SUMMED = ("freezes", "frozen_ms")


@dataclass(frozen=True, slots=True)
class QualityRow:
    """Some seconds of one viewer on one rung. What it did not know is left out."""

    session: str
    viewer: str
    at: int
    """Unix milliseconds of its end, by the controller's clock."""
    span_ms: int
    rung: str
    figures: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keeping:
    """How many rows a session keeps, newest first: some as they came, some by the minute, the rest by ten."""

    fine: int = 360
    """An hour of one viewer."""
    minutes: int = 1440
    most: int = 3000


KEEPING = Keeping()
MINUTE_MS = 60_000


def merged(rows: Sequence[QualityRow]) -> QualityRow:
    """Several rows of one viewer on one rung, oldest first, as one."""
    whole = sum(row.span_ms for row in rows)
    names = dict.fromkeys(name for row in rows for name in row.figures)
    figures = {name: _figure(name, [row for row in rows if name in row.figures]) for name in names}
    words = {name: value for row in rows for name, value in row.words.items()}
    return replace(rows[-1], span_ms=whole, figures=figures, words=words)


def _figure(name: str, rows: Sequence[QualityRow]) -> float:
    values = [row.figures[name] for row in rows]
    if name.endswith("_least"):
        return min(values)
    if name.endswith(("_most", "_most_ms", "_p95_ms")):
        return max(values)
    if name in SUMMED:
        return sum(values)
    weights = [max(row.span_ms, 1) for row in rows]
    mean = sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)
    return round(min(max(mean, min(values)), max(values)), 4)


def thinned(rows: Iterable[QualityRow], keeping: Keeping = KEEPING) -> Sequence[QualityRow]:
    """A session's rows, fewer: older ones by the minute, still older by ten, and of those the oldest go."""
    ordered = sorted(rows, key=_when)
    fine = ordered[-keeping.fine :]
    older = _by(MINUTE_MS, ordered[: -keeping.fine])
    minutes = older[-keeping.minutes :]
    old = _by(10 * MINUTE_MS, older[: -keeping.minutes])
    return [*old, *minutes, *fine][-keeping.most :]


def _by(length_ms: int, rows: Sequence[QualityRow]) -> list[QualityRow]:
    def span(row: QualityRow) -> tuple[str, str, int]:
        return row.viewer, row.rung, row.at // length_ms

    groups = groupby(sorted(rows, key=lambda row: (span(row), row.at)), span)
    return sorted((merged(list(group)) for _, group in groups), key=_when)


def _when(row: QualityRow) -> tuple[int, str]:
    return row.at, row.viewer


def changes(rows: Iterable[QualityRow]) -> Sequence[tuple[int, str]]:
    """(when, rung) each time one viewer's rung is another than before; `rows` oldest first."""
    found: list[tuple[int, str]] = []
    for row in rows:
        if not found or found[-1][1] != row.rung:
            found.append((row.at - row.span_ms, row.rung))
    return found


def candidates(rows: Iterable[QualityRow]) -> str:
    """Between which candidates one viewer's picture came, the longest first; where there were several, with each pair's
    part of the time when they were known."""
    spans: Counter[str] = Counter()
    for row in rows:
        if "local" in row.words:
            way = row.words.get("transport", "udp").upper()
            spans[f"{row.words['local']} to {row.words.get('remote', 'unknown')}, {way}"] += row.span_ms
    if len(spans) < 2:
        return "".join(spans)
    whole = max(sum(spans.values()), 1)
    return "; ".join(f"{pair} ({100 * span / whole:.0f} %)" for pair, span in spans.most_common())
