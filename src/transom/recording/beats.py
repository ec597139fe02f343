"""What heartbeats of a session's viewers add to its timeline: changes of rung, figures of the picture, freezes. Pure.

A viewer, a watcher by a link among them, may send as many as it likes under as many names as it likes: the lines of
one session are few a second, whoever they are of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

FIGURES = ("kbps", "fps", "rtt_ms", "jitter_ms", "loss")
"""What of a viewer's heartbeat is in the timeline."""
VIEWERS_LIMIT = 64
"""Viewers of one session whose rung is known: those that were heard last."""
BURST, BURST_S = 30, 15.0
"""Lines of one session at once, and in so many seconds as many more: eight viewers say some two a second together."""


class Beats:
    """One session's. `wait` counts a line, and gives 0 when it may be written."""

    def __init__(self, wait: Callable[[], int]) -> None:
        self._wait = wait
        self._rungs: dict[str, str] = {}

    def lines(
        self, viewer: str, rung: str | None, stats: Mapping[str, object]
    ) -> Iterator[dict[str, object]]:
        """The lines of one heartbeat, without their time."""
        figures = {name: stats[name] for name in FIGURES if isinstance(stats.get(name), int | float)}
        if rung is not None and self._rungs.get(viewer) != rung and not self._wait():
            self._known(viewer, rung)
            yield {"kind": "rung", "viewer": viewer, "rung": rung}
        if figures and not self._wait():
            yield {"kind": "quality", "viewer": viewer, **figures}

    def freezes(self, viewer: str, count: int, frozen_ms: float, span_ms: int) -> Iterator[dict[str, object]]:
        """The line of some milliseconds, over now, in which a viewer's picture stood still though it should not."""
        if (count or frozen_ms) and not self._wait():
            still = round(min(frozen_ms, span_ms))
            yield {
                "kind": "freeze",
                "viewer": viewer,
                "freezes": count,
                "frozen_ms": still,
                "span_ms": span_ms,
            }

    def _known(self, viewer: str, rung: str) -> None:
        self._rungs.pop(viewer, None)
        self._rungs[viewer] = rung
        if len(self._rungs) > VIEWERS_LIMIT:
            del self._rungs[next(iter(self._rungs))]
