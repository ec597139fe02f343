"""Which lost packets are sent again: no more than the link has room for. Pure.

A full queue drops packets, and a viewer asks for them again and again; what is sent then fills the queue anew.
"""

from __future__ import annotations

from collections import OrderedDict

SHARE = 0.3
"""Of the bitrate, that packets sent again may take..."""
SAVED_S = 0.5
"""...saved up for so many seconds."""
HOPELESS = 12
"""Packets that were asked for and had no room, after which a key frame is the shorter way to a picture..."""
HOPELESS_S = 1.0
"""...once in so many seconds and a round trip."""
PACKET_BYTES = 1200
NUMBERS = 2**16
"""After so many packets RTP's numbers begin anew."""
REMEMBERED = 1024
"""Packets whose last repair is known."""


class Repairs:
    """Repairs of one viewer. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.kbps: int | None = None
        """The link's bitrate; None: no limit is known."""
        self.rtt_s = 0.0
        """Seconds in which a packet that was sent again is not sent once more."""
        self._bytes = 0.0
        self._at = float("-inf")
        self._repaired: OrderedDict[int, float] = OrderedDict()
        self._refused: set[int] = set()
        self._key_from: int | None = None
        self._replaces = False
        self._given_up_until = float("-inf")
        self._hopeless_at = float("-inf")

    def take(self, now: float, number: int) -> bool:
        """Whether the packet of this sequence number is sent again now."""
        if self.kbps is None:
            return True
        if now < self._given_up_until or (self._replaces and self._before_key(number)):
            return False
        rate = self.kbps * 125 * SHARE
        most = max(rate * SAVED_S, float(2 * PACKET_BYTES))
        self._bytes = min(self._bytes + min(now - self._at, SAVED_S) * rate, most)
        self._at = now
        if now - self._repaired.get(number, float("-inf")) < self.rtt_s:
            return False
        if self._bytes < PACKET_BYTES:
            if not self._before_key(number):
                self._refused.add(number)
            return False
        self._refused.discard(number)
        self._bytes -= PACKET_BYTES
        self._repaired[number] = now
        self._repaired.move_to_end(number)
        if len(self._repaired) > REMEMBERED:
            self._repaired.popitem(last=False)
        return True

    def renewed(self, number: int) -> None:
        """A key frame is sent from this number on: nothing before is missing, though it is asked for until then."""
        self._refused.clear()
        self._key_from, self._replaces = number, self._given_up_until > float("-inf")
        self._given_up_until = float("-inf")

    def _before_key(self, number: int) -> bool:
        return self._key_from is not None and 0 < (self._key_from - number) % NUMBERS < NUMBERS // 2

    def hopeless(self, now: float) -> bool:
        """Whether so much is missing that a key frame is due instead; true once, then after a while.

        Nothing is sent again from then until the key frame, HOPELESS_S at most: it would take the room of that.
        """
        if len(self._refused) < HOPELESS or now < self._hopeless_at + HOPELESS_S + self.rtt_s:
            return False
        self._refused.clear()
        self._hopeless_at, self._given_up_until = now, now + HOPELESS_S
        return True
