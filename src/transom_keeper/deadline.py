"""The deadline of last resort: whoever else has died, the machine ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time

LOOK_SECONDS = 15.0
"""The clock of the wall is looked at this often: it may jump, and the host may have slept."""
ALARM_SLACK_SECONDS = 60
"""So long after the deadline the kernel ends a keeper that does not do so itself, and with it the machine."""


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Deadline:
    """A moment that may move; `at` is in milliseconds since the epoch."""

    def __init__(self, at: int) -> None:
        self.at = at
        self._moved = asyncio.Event()

    def move(self, to: int) -> None:
        """From now on it is `to`, earlier or later."""
        self.at = to
        self._moved.set()

    def arm(self) -> None:
        """A process whose loop hangs past the deadline is ended by the kernel."""
        left = (self.at - now_ms()) // 1000
        signal.alarm(min(max(0, left) + ALARM_SLACK_SECONDS, 2**31 - 1))

    def disarm(self) -> None:
        """The machine has ended: nothing more hangs on the deadline."""
        signal.alarm(0)

    async def passed(self) -> None:
        """Wait for it, wherever it moves, and keep the kernel's alarm behind it."""
        while (left := (self.at - now_ms()) / 1000) > 0:
            self._moved.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    await self._moved.wait()
            self.arm()
