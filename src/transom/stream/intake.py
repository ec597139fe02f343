"""How much one viewer may send by a WebSocket of the noVNC rung: messages and bytes a second. Pure but for a clock.

A stream's bytes are in order, so what is too much is not dropped, as on data channels, but taken later: until then
nothing more is read of that viewer, and the network holds it up. Who goes on is ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from transom_wire.rate import BURST, DEBT, DRIVER_RATE, WATCHER_RATE, Bucket

DRIVER_BYTES, DRIVER_BYTES_BURST = 4 * 2**20, 17 * 2**20
"""Bytes a second, and at once, of who drives: the largest clipboard that a setting allows, and some."""
WATCHER_BYTES, WATCHER_BYTES_BURST = 16 * 1024, 128 * 1024
"""And of who only watches: it asks for pictures, ten bytes each."""
FORGIVEN = 1.0
"""Messages a second that came too early, of which nothing is held against a viewer."""


class Intake:
    """Of one socket. `late` hears of each message that came too early."""

    def __init__(
        self,
        *,
        drives: bool,
        late: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._late, self._clock, now = late, clock, clock()
        self._messages = Bucket(_rate(drives), BURST, now)
        self._bytes = _bytes(drives, now)
        self._patience = Bucket(FORGIVEN, DEBT, now)
        self._drives = drives

    def hold_to(self, *, drives: bool) -> None:
        """The desktop was given, or taken."""
        if drives is not self._drives:
            self._drives, now = drives, self._clock()
            self._messages.change(_rate(drives), now)
            self._bytes = _bytes(drives, now)

    def take(self, size: int) -> float | None:
        """One message of `size` bytes: seconds until it is to be handed on and the next one read, none of them where
        there is room; None when there is an end to it."""
        now = self._clock()
        wait = max(self._messages.wait_s(1, now), self._bytes.wait_s(size, now))
        if wait > 0:
            self._late()
            if not self._patience.take(1, now):
                return None
        self._messages.spend(1, now + wait)
        self._bytes.spend(size, now + wait)
        return wait


def _rate(drives: bool) -> float:
    return DRIVER_RATE if drives else WATCHER_RATE


def _bytes(drives: bool, now: float) -> Bucket:
    if drives:
        return Bucket(DRIVER_BYTES, DRIVER_BYTES_BURST, now)
    return Bucket(WATCHER_BYTES, WATCHER_BYTES_BURST, now)
