"""What must have happened by some time, by name, or something is called. In the event loop's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


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
