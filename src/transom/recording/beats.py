"""What heartbeats of a session's viewers add to its timeline: changes of rung, and figures of the picture. Pure.

A viewer, a watcher by a link among them, may send as many as it likes under as many names as it likes: the lines of
one session are few a second, whoever they are of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

FIGURES = ("kbps", "fps", "rtt_ms", "jitter_ms", "loss")
"""What of a viewer's heartbeat is in the timeline."""
VIEWERS_LIMIT = 64
"""Viewers of one session whose rung is known: those that were heard last."""
BURST, EACH_MS = 30, 500
"""Lines of one session at once, and milliseconds for one more: eight viewers say some two a second together."""


class Beats:
    """One session's."""

    def __init__(self) -> None:
        self._rungs: dict[str, str] = {}
        self._left, self._at = float(BURST), 0

    def lines(
        self, viewer: str, rung: str | None, stats: Mapping[str, object], now: int
    ) -> Iterator[dict[str, object]]:
        """The lines of one heartbeat, without their time; `now` in milliseconds."""
        figures = {name: stats[name] for name in FIGURES if isinstance(stats.get(name), int | float)}
        if rung is not None and self._rungs.get(viewer) != rung and self._may(now):
            self._known(viewer, rung)
            yield {"kind": "rung", "viewer": viewer, "rung": rung}
        if figures and self._may(now):
            yield {"kind": "quality", "viewer": viewer, **figures}

    def _known(self, viewer: str, rung: str) -> None:
        self._rungs.pop(viewer, None)
        self._rungs[viewer] = rung
        if len(self._rungs) > VIEWERS_LIMIT:
            del self._rungs[next(iter(self._rungs))]

    def _may(self, now: int) -> bool:
        self._left = min(float(BURST), self._left + max(0, now - self._at) / EACH_MS)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
