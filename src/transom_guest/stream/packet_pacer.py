"""Lets a viewer's packets out as its bucket says. Nothing runs while nothing waits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from transom_guest.stream.packet_bucket import PacketBucket

Send = Callable[[list[bytes]], None]


class PacketPacer:
    """`put` and `spent` come from any thread, all else from the event loop's. `send` must not block."""

    def __init__(self, send: Send, kbps: int) -> None:
        """`kbps` is what the link is thought to carry before it said anything."""
        self._send, self._loop = send, asyncio.get_running_loop()
        self._bucket, self._lock = PacketBucket(time.monotonic(), kbps), threading.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def carry(self, kbps: int, proved_kbps: int) -> None:
        """What the link carries from now on, and for a moment."""
        with self._lock:
            self._bucket.carry(time.monotonic(), kbps, proved_kbps)

    def put(self, packets: list[bytes]) -> None:
        """Send a frame, now or soon."""
        with self._lock:
            idle = not self._bucket.queued
            self._let_out(self._bucket.put(time.monotonic(), packets))
            waits = bool(self._bucket.queued)
        if idle and waits and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._step)

    def spent(self, size: int) -> None:
        """A packet was sent again."""
        with self._lock:
            self._bucket.spent(time.monotonic(), size)

    def empty_in(self) -> float:
        """Seconds until nothing waits."""
        with self._lock:
            return self._bucket.empty_in(time.monotonic())

    def close(self) -> None:
        """Send nothing any more. Idempotent."""
        self._closed = True
        with self._lock:
            self._bucket.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _step(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closed:
            return
        with self._lock:
            self._let_out(self._bucket.take(time.monotonic()))
            due = self._bucket.due()
        if due is not None:
            self._timer = self._loop.call_at(due, self._step)

    def _let_out(self, packets: list[bytes]) -> None:
        # under the lock: packets of two frames must not change places
        if packets and not self._closed:
            self._send(packets)
