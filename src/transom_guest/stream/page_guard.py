"""Whether a recording may have a picture of the page that is shown."""

from __future__ import annotations

from transom_guest.signin_pages.sight import CLEAR, SILENT, STARTING, Sight
from transom_guest.stream.hindsight import Hindsight
from transom_wire.record import HIDDEN

GONE_S = 2.0
"""Seconds after a page to sign in at for the next page to be painted: until then the browser shows the old one."""
START_S = 45.0
"""Seconds that a browser is given to start and say its first word: on a busy machine it took ten."""


class PageGuard:
    """Looked at often while something is recorded. `seen` is told to the controller."""

    def __init__(self, recorder: Hindsight, sight: Sight) -> None:
        self._recorder, self._sight = recorder, sight
        self._looks = False
        self._since = float("-inf")
        self._starts: float | None = None
        self.seen = CLEAR

    def look(self, now: float) -> None:
        """Hide or show the picture, as the page that is shown is."""
        if not self._recorder.wanted:
            self.seen, self._looks, self._starts = CLEAR, False, None
            return
        if not self._looks:
            self._looks = True
            self._sight.anew()
        found = self._started(self._sight.look(), now)
        if found in HIDDEN:
            self._since = now
        elif now - self._since < GONE_S and self.seen in HIDDEN:
            found = self.seen
        self.seen = found
        if found in HIDDEN:
            self._recorder.hide(now)
        else:
            self._recorder.show()

    def _started(self, found: str, now: float) -> str:
        """One that starts for too long is silent."""
        if found != STARTING:
            self._starts = None
            return found
        self._starts = now if self._starts is None else self._starts
        return STARTING if now - self._starts < START_S else SILENT
