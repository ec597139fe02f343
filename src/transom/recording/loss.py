"""What a crash in the machine took of a recording: pictures that no segment handed over has. Pure.

A stream that ends takes nothing as such: the guest finishes its segment then, and hands it over on the next one. It
is lost when that one brings segments of a newer run first, numbered from the beginning again. Times are Unix
milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

WATCHED_MS = 15_000
"""A viewer by WebRTC of whom no more was heard for so long is gone: a heartbeat and a half. Then nothing was open."""


@dataclass(frozen=True, slots=True)
class Span:
    """Of `run`, what is from `since` to `until` at most may be lost."""

    run: int
    since: int
    until: int

    @property
    def line(self) -> dict[str, object]:
        """Of the timeline."""
        return {"at_ms": self.since, "kind": "lost", "why": "crashed", "until_ms": self.until}


class Loss:
    """One session's."""

    def __init__(self) -> None:
        self._run, self._since = -1, 0
        self._number = 0
        self._watched = -WATCHED_MS
        self._open: list[Span] = []

    def watched(self, at: int) -> None:
        """A viewer has a picture that can be recorded."""
        self._watched = at

    def begins(self, run: int, at: int) -> None:
        """Pictures are taken from now on."""
        self._run, self._since = run, at

    def came(self, run: int, number: int, until: int) -> list[Span]:
        """A segment is handed over, or what there is of it until then; what is known to be lost now."""
        lives = number > self._number > 0
        self._number = number
        if run == self._run:
            self._since = max(self._since, until)
        lost = [] if lives else [each for each in self._open if each.run < run]
        self._open = [each for each in self._open if each.run > run]
        return lost

    def breaks(self, at: int) -> None:
        """The stream ended while pictures were taken."""
        if at - self._watched < WATCHED_MS and at > self._since:
            self._open.append(Span(self._run, self._since, at))

    def removed(self) -> None:
        """What was before is of no interest."""
        self._open.clear()

    def over(self) -> list[Span]:
        """No more segments come: what did not is lost."""
        lost, self._open = self._open, []
        return lost
