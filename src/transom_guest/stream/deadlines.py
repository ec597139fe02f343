"""What must have happened by some time, by name, or something is called. In the event loop's thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

ANSWER_DEADLINE = 30.0 if "TRANSOM_EMULATED" in os.environ else 5.0
"""Seconds from the offer to an answer with its candidates: a tenth of a second, emulated some thirty times that."""
ANSWER_SENT = 0.05
"""Seconds an answer may take to be on the link before frames are made all the same."""
CONNECT_DEADLINE = 30.0
"""Seconds from the answer until the peer must be connected; the door takes no new source later either."""
LOST_DEADLINE = 15.0
"""Seconds a peer may be disconnected before it is closed; the page rebuilds it after five."""
EARLY = 8.0 if "TRANSOM_EMULATED" in os.environ else 1.0
"""Seconds from the answer for which a viewer's first frames are made ahead: ICE and DTLS take a tenth of that."""


class Deadlines:
    """One deadline for a name."""

    def __init__(self) -> None:
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def give(self, name: str, seconds: float, late: Callable[[], None]) -> None:
        """Call `late` in so many seconds, in place of what was to be called for this name."""
        self.revoke(name)
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, late)

    def revoke(self, name: str) -> None:
        """Call nothing for this name."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
