"""Whether a recording may have a picture of the page that is shown."""

from __future__ import annotations

from typing import Protocol

from transom_guest.signin_pages.sight import CLEAR, SILENT, STARTING, UNWATCHED, Sight
from transom_guest.stream.hindsight import Hindsight
from transom_wire.record import HIDDEN

GONE_S = 2.0
"""Seconds after a page to sign in at for the next page to be painted: until then the browser shows the old one."""
START_S = 45.0
"""Seconds that a browser is given to start and say its first word: on a busy machine it took ten."""
LATE_S = 10.0
"""Seconds that a browser has to answer that its pages are clear: until then pictures are held, and then dropped."""


class Questions(Protocol):
    """What is needed of signin_pages.asking.Asking."""

    def look(self, now: float) -> float: ...


class PageGuard:
    """Looked at often while something is recorded. `seen` is told to the controller."""

    def __init__(self, recorder: Hindsight, sight: Sight, asking: Questions) -> None:
        self._recorder, self._sight, self._asking = recorder, sight, asking
        self._looks = False
        self._since = float("-inf")
        """When this began, or such a page was shown last."""
        self._starts: float | None = None
        self.seen = CLEAR

    def look(self, now: float) -> None:
        """Hide or show the picture, as the page that is shown is."""
        wanted = self._recorder.wanted
        if not wanted and self._recorder.settled:
            self.seen, self._looks, self._starts = CLEAR, False, None
            return
        if not self._looks:
            self._looks, self._since = True, now
            self._sight.anew()
        found = self._found(now)
        self.seen = found if wanted else CLEAR
        if found in HIDDEN:
            self._recorder.hide(now)
        elif wanted:
            self._recorder.show()

    def _found(self, now: float) -> str:
        until = self._asking.look(now)
        # a host writes down that a page is shown before its next answer goes out
        found = self._started(self._sight.look(), now)
        if found == UNWATCHED:
            until = now
        self._recorder.clear_until = until
        if found in HIDDEN:
            self._since = now
        elif now - max(until, self._since) > LATE_S:
            return SILENT
        elif self.seen in HIDDEN and (now - self._since < GONE_S or until < self._since):
            return self.seen
        return found

    def _started(self, found: str, now: float) -> str:
        """One that starts for too long is silent."""
        if found != STARTING:
            self._starts = None
            return found
        self._starts = now if self._starts is None else self._starts
        return STARTING if now - self._starts < START_S else SILENT
