"""How often whoever came by a link may offer, and open streams of the noVNC rung: by link, by address, after floods."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from transom.auth.limits import RateLimiter
from transom.model.errors import TooMany
from transom.model.seat import Person
from transom.stream.returns import Returns

OFFERS, OFFERS_AT_ADDRESS = 60, 120
"""In a minute: by one link, which five may be in by at once, and by all links from one address. A page whose
connections all fail makes some five."""
STREAMS, STREAMS_AT_ADDRESS = 120, 240
"""The same of sockets for noVNC's picture and channel: a page whose machine is away tries one each five seconds."""
MOST_VIEWERS = 4096
"""Viewers of whom it is known by which link they came; past it the one who came longest ago is forgotten."""
Seconds = Callable[[], float]


class Arrivals:
    """Owners pass: their sessions are their own."""

    def __init__(self, clock: Seconds = time.monotonic) -> None:
        self._clock, self._returns = clock, Returns()
        self._offers = _Rates(OFFERS, OFFERS_AT_ADDRESS)
        self._streams = _Rates(STREAMS, STREAMS_AT_ADDRESS)
        self._came: OrderedDict[tuple[str, str], tuple[str, str]] = OrderedDict()

    def offer(self, session: str, peer: str, person: Person, address: str) -> None:
        """Somebody offers a peer connection. Raises TooMany with `retry_after`."""
        self._take(self._offers, session, peer, person, address)

    def stream(self, session: str, peer: str, person: Person, address: str) -> None:
        """Somebody opens a stream of the noVNC rung. Raises TooMany with `retry_after`."""
        self._take(self._streams, session, peer, person, address)

    def flooded(self, session: str, peer: str) -> None:
        """A viewer was ended for a flood: by the way it came, nobody comes for a while."""
        came = self._came.get((session, peer))
        if came is not None:
            self._returns.flooded(*came, self._clock())

    def _take(self, rates: _Rates, session: str, peer: str, person: Person, address: str) -> None:
        if person.link is None:
            return
        wait = self._returns.wait_s(person.link, address, self._clock())
        if wait > 0:
            raise TooMany("a viewer flooded by this link: wait", retry_after=math.ceil(wait))
        rates.check(person.link, address)
        self._came[session, peer] = person.link, address
        self._came.move_to_end((session, peer))
        if len(self._came) > MOST_VIEWERS:
            self._came.popitem(last=False)


class _Rates:
    """Of one kind of act."""

    def __init__(self, by_link: int, at_address: int) -> None:
        self._link = RateLimiter(count=by_link, seconds=60)
        self._address = RateLimiter(count=at_address, seconds=60)

    def check(self, link: str, address: str) -> None:
        """Count one. Raises TooMany."""
        self._link.check(link)
        self._address.check(address)
