"""When packets may leave for a link: a bucket of bytes, and a queue. Pure; times are monotonic seconds, sizes bytes.

A key frame is tens of kilobytes. Sent at once it stands in a slow link's queue, in front of everything else that
goes there, and overflows it; let out somewhat faster than the link's bitrate it does neither.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from transom_wire.rate import HAIR, Bucket

PACE = 2.5
"""Times the bitrate, that a frame leaves at: a queue of ours would be as bad as one of the link's."""
BURST_S = 0.02
"""Seconds of that which leave at once: on a link that has shown to be fast, any frame..."""
LEAST_BURST = 4 * 1260
"""...and on any link this. Shorter frames wait for nothing."""
FIRST_BURST = 40_000
"""Before a word of the link: a first picture waits for nothing, and measures the link."""


class PacketBucket:
    """Packets of one viewer, and what may leave: a burst, and then the pace."""

    def __init__(self, now: float, kbps: int) -> None:
        """`kbps` is what the link is thought to carry before it said anything."""
        self._rate, self._burst = PACE * kbps * 125, FIRST_BURST
        self._room, self._at = Bucket(self._rate, self._burst, now), now
        self._waiting: deque[bytes] = deque()
        self.queued = 0
        """Bytes that wait."""

    def carry(self, now: float, kbps: int, proved_kbps: int) -> None:
        """The link's bitrate from now on, and what it has proved to carry for a moment."""
        # kbit/s to bytes a second
        self._rate = max(PACE * kbps, proved_kbps) * 125
        self._burst = max(round(self._rate * BURST_S), LEAST_BURST)
        self._room.change(self._rate, self._time(now), self._burst)

    def put(self, now: float, packets: Sequence[bytes]) -> list[bytes]:
        """Take packets of a frame; those that leave now are returned."""
        self._waiting.extend(packets)
        self.queued += sum(map(len, packets))
        return self.take(now)

    def take(self, now: float) -> list[bytes]:
        """What leaves now, in order."""
        now, out = self._time(now), list[bytes]()
        while self._waiting and self._wait_s(now) <= HAIR:
            packet = self._waiting.popleft()
            self._room.spend(len(packet), now)
            self.queued -= len(packet)
            out.append(packet)
        return out

    def spent(self, now: float, size: int) -> None:
        """So much went past the bucket: what was sent again."""
        self._room.spend(size, self._time(now))

    def due(self) -> float | None:
        """When the next packet may leave; None when none waits."""
        return self._at + self._wait_s(self._at) if self._waiting else None

    def empty_in(self, now: float) -> float:
        """Seconds from now until all that waits has left."""
        return self._room.wait_s(self.queued, self._time(now)) if self._waiting else 0.0

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self.queued = 0

    def _wait_s(self, now: float) -> float:
        # a packet larger than the burst leaves when nothing is in its way
        return self._room.wait_s(min(len(self._waiting[0]), self._burst), now)

    def _time(self, now: float) -> float:
        self._at = max(self._at, now)
        return self._at
