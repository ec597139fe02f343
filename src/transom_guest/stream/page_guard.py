"""Whether a recording may have a picture of the page that is shown."""

from __future__ import annotations

from transom_guest.signin_pages.sight import CLEAR, SHOWN, SILENT, Sight
from transom_guest.stream.hindsight import Hindsight

GONE_S = 2.0
"""Seconds after a page to sign in at for the next page to be painted: until then the browser shows the old one."""


class PageGuard:
    """Looked at often while something is recorded. `seen` is told to the controller."""

    def __init__(self, recorder: Hindsight, sight: Sight) -> None:
        self._recorder, self._sight = recorder, sight
        self._looks = False
        self._since = float("-inf")
        self.seen = CLEAR

    def look(self, now: float) -> None:
        """Hide or show the picture, as the page that is shown is."""
        if not self._recorder.wanted:
            self.seen, self._looks = CLEAR, False
            return
        if not self._looks:
            self._looks = True
            self._sight.anew()
        found = self._sight.look()
        if found in (SHOWN, SILENT):
            self._since = now
        elif now - self._since < GONE_S and self.seen in (SHOWN, SILENT):
            found = self.seen
        self.seen = found
        if found in (SHOWN, SILENT):
            self._recorder.hide(now)
        else:
            self._recorder.show()
