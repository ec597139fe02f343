"""What viewers say of their picture: the last word of each, for metrics and for people who look."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from transom_wire.link import MISDEEDS, StreamReport

VIEWERS_LIMIT = 4096
"""Viewers remembered; the longest silent goes first."""
FRESH_MS = 35_000
"""A viewer silent for longer, three heartbeats, is not counted."""


@dataclass(frozen=True, slots=True)
class Report:
    """One heartbeat's figures; units are in their names."""

    at: int
    rung: str | None
    stats: Mapping[str, object]


class Quality:
    """(session, peer) -> its last report."""

    def __init__(
        self,
        link: Callable[[str], None] = lambda _cause: None,
        dropped: Callable[[str, int], None] = lambda _why, _count: None,
    ) -> None:
        """`link` hears the cause of each target that a guest tells of, `dropped` how many of viewers' messages it
        did not take, and why."""
        self._link, self._dropped = link, dropped
        self._reports: OrderedDict[tuple[str, str], Report] = OrderedDict()
        self._links: OrderedDict[tuple[str, str], StreamReport] = OrderedDict()

    def report(self, session: str, peer: str, report: Report) -> None:
        """Keep a viewer's newest word."""
        self._reports[(session, peer)] = report
        self._reports.move_to_end((session, peer))
        while len(self._reports) > VIEWERS_LIMIT:
            self._reports.popitem(last=False)

    def link_fared(self, session: str, report: StreamReport) -> None:
        """Keep the guest's newest word of a viewer's link."""
        self._link(report.cause)
        before = self._links.get((session, report.peer))
        known = before if before is not None and before.epoch == report.epoch else None
        for why in MISDEEDS:
            more = getattr(report, why) - (getattr(known, why) if known else 0)
            if more > 0:
                self._dropped(why, more)
        self._links[(session, report.peer)] = report
        self._links.move_to_end((session, report.peer))
        while len(self._links) > VIEWERS_LIMIT:
            self._links.popitem(last=False)

    def of(self, session: str) -> dict[str, Report]:
        """Peer -> report."""
        return {peer: report for (owner, peer), report in self._reports.items() if owner == session}

    def connections(self, now: int) -> Sequence[tuple[str, str, str]]:
        """(rung, candidate, transport) of each viewer there is now; "none" for what a rung has not."""
        return [
            (report.rung, str(report.stats.get("local", "none")), str(report.stats.get("transport", "none")))
            for report in self._reports.values()
            if report.rung is not None and now - report.at <= FRESH_MS
        ]

    def links(self, now: int) -> Sequence[StreamReport]:
        """How the links fare whose viewers are heard of now, as the guests' rate control sees them."""
        fresh = {key for key, report in self._reports.items() if now - report.at <= FRESH_MS}
        return [report for key, report in self._links.items() if key in fresh]

    def left(self, session: str, peer: str) -> None:
        """A viewer's seat is free again: it is counted no longer."""
        self._reports.pop((session, peer), None)

    def forget(self, session: str) -> None:
        """The session is over."""
        for kept in (self._reports, self._links):
            for key in [key for key in kept if key[0] == session]:
                del kept[key]

    def rungs(self, now: int) -> dict[str, int]:
        """Rung -> viewers on it now."""
        counts: dict[str, int] = {}
        for report in self._reports.values():
            if report.rung is not None and now - report.at <= FRESH_MS:
                counts[report.rung] = counts.get(report.rung, 0) + 1
        return counts
