"""What is aimed at, and how the samples of several runs become a table: pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

OURS, BESIDE = "ours", ("selkies_webrtc", "selkies_websocket")
Samples = dict[tuple[str, str], list[float]]
"""(peer, what) -> values."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure of ours, and where it should be."""

    what: str
    share: float
    """The quantile: 0.5 is the median."""
    limit: float
    text: str
    least: bool = False
    """The figure should be at least the limit; otherwise at most."""
    beside: tuple[str, ...] = ()
    """Peers of whose figure `limit` is a factor; without any it is the figure itself."""


GOALS = (
    Goal("key_ms", 0.5, 20, "key to picture, p50, ms"),
    Goal("key_ms", 0.95, 35, "key to picture, p95, ms"),
    Goal("key_ms", 0.5, 0.45, "key to picture, p50 beside Selkies", beside=BESIDE),
    Goal("key_ms", 0.95, 0.35, "key to picture, p95 beside Selkies", beside=BESIDE),
    Goal("offer_to_picture_ms", 0.5, 100, "connect, offer to first picture, p50, ms"),
    Goal("offer_to_picture_ms", 0.95, 300, "connect, offer to first picture, p95, ms"),
    Goal("scroll_fps", 0.5, 55, "scroll, pictures a second", least=True),
    Goal("scroll_media_kbps", 0.5, 2000, "scroll, kbit/s of media"),
    Goal("motion_fps", 0.5, 55, "full motion, pictures a second", least=True),
    Goal("motion_media_kbps", 0.5, 2000, "full motion, kbit/s of media"),
    Goal("typing_media_kbps", 0.5, 40, "typing, kbit/s of media"),
    Goal("static_media_kbps", 0.5, 0, "still screen, kbit/s of media"),
    Goal("static_cores", 0.5, 0.02, "still screen, cores in the machine"),
    Goal("ssim_300ms", 0.5, 0.99, "SSIM 300 ms after scrolling", least=True),
    Goal("ssim_page_300ms", 0.5, 0.99, "SSIM 300 ms after a new page", least=True),
    Goal("frame_cpu_ms", 0.5, 6, "processor time of a frame, ms"),
    Goal("nobody_cores", 0.5, 0.01, "nobody watching, cores"),
)


def gather(runs: Iterable[dict[str, Any]]) -> tuple[Samples, dict[tuple[str, str], int]]:
    """All runs' samples together, and how many keys never showed."""
    found: Samples = {}
    lost: dict[tuple[str, str], int] = {}
    for run in runs:
        for sample in run["samples"]:
            at = (sample["peer"], sample["what"])
            if sample["value"] is None:
                lost[at] = lost.get(at, 0) + 1
            else:
                found.setdefault(at, []).append(float(sample["value"]))
    return found, lost


def quantile(values: list[float], share: float) -> float:
    """The median as usual; else the value that `share` of all do not exceed."""
    if share == 0.5:
        return statistics.median(values)
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a goal fares."""

    text: str
    wanted: str
    measured: float
    met: bool
    missed_by: float
    """In the figure's unit; 0 when met."""


def judge(samples: Samples) -> list[Verdict]:
    """Every goal that was measured; one that compares, once for each peer it names."""
    found = []
    for goal in GOALS:
        own = samples.get((OURS, goal.what))
        if not own:
            continue
        measured = quantile(own, goal.share)
        for beside in goal.beside or ("",):
            theirs = samples.get((beside, goal.what))
            if beside and not theirs:
                continue
            limit = goal.limit * quantile(theirs, goal.share) if theirs and beside else goal.limit
            met = measured >= limit if goal.least else measured <= limit
            sign = ">=" if goal.least else "<="
            wanted = f"{sign} {goal.limit:g}" + (f" x {beside} = {limit:.1f}" if beside else "")
            missed = 0.0 if met else abs(measured - limit)
            found.append(Verdict(goal.text, wanted, measured, met, missed))
    return found
