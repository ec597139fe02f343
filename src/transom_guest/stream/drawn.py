"""Which frame a viewer has drawn, by its own word, and whether that is the newest it was sent. Pure.

Frames are named by their RTP timestamps (RFC 3550, 5.1). `sent` may be called in another thread than the rest.
"""

from __future__ import annotations

NEAR_TICKS = 3
"""Of 90 kHz: browsers tell a frame's time as their decoders do, in microseconds."""


class Drawn:
    """One viewer's."""

    def __init__(self) -> None:
        self._newest: int | None = None
        self._drawn: int | None = None

    @property
    def all(self) -> bool:
        """The newest frame is drawn."""
        return self._drawn is not None and self._drawn == self._newest

    def sent(self, rtp_time: int) -> None:
        """A frame is on its way."""
        self._newest = rtp_time

    def take(self, rtp_time: int) -> bool:
        """The viewer has drawn this one: whether it is the newest."""
        newest = self._newest
        if newest is None or (rtp_time - newest + NEAR_TICKS) % 2**32 > 2 * NEAR_TICKS:
            return False
        self._drawn = newest
        return True
