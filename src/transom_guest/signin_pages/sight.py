"""What is known of the page that the browser shows: looked at while something is recorded."""

from __future__ import annotations

import os
from pathlib import Path

from transom_guest.signin_pages.host import HELLO, is_held

CLEAR, SHOWN, SILENT, UNWATCHED = "clear", "shown", "silent", "unwatched"
"""No page to sign in at; one is shown; the browser should say and does not; nobody looks at the browser's pages."""
STARTING = "starting"
"""The browser has said nothing since it was started."""
MOST = 64
"""Files that are looked at."""


class Sight:
    """By what hosts wrote down in `folder`; a page that came and went since the last look is shown as well."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._heard = 0

    def anew(self) -> None:
        """What was before now does not count."""
        self._heard = self._word()

    def look(self) -> str:
        """CLEAR, SHOWN, SILENT, UNWATCHED or STARTING. A browser's first word is not one of a page that went."""
        found = self._now()
        before, self._heard = self._heard, self._word()
        return SHOWN if found == CLEAR and before not in (0, self._heard) else found

    def _now(self) -> str:
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return UNWATCHED
        except OSError:
            return SILENT
        shown = [name for name in names if name != HELLO][:MOST]
        if any(is_held(self._folder / name) for name in shown):
            return SHOWN
        if shown:
            return SILENT
        return CLEAR if HELLO in names else STARTING

    def _word(self) -> int:
        """When a host wrote last, in nanoseconds."""
        try:
            return (self._folder / HELLO).stat().st_mtime_ns
        except OSError:
            return 0
