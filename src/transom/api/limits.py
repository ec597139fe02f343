"""How often somebody may do what costs: over it, TooMany with the seconds to wait."""

from __future__ import annotations

from transom.api.arrivals import Arrivals
from transom.auth.limits import RateLimiter
from transom.model.seat import Person


class Limits:
    """One limiter for each kind of act."""

    def __init__(self) -> None:
        self._sign_in = RateLimiter(count=10, seconds=60)
        self._entry = RateLimiter(count=20, seconds=60)
        self._creation = RateLimiter(count=60, seconds=60)
        self._offer = RateLimiter(count=300, seconds=60)
        self._pull = RateLimiter(count=60, seconds=60)
        self._exit_check = RateLimiter(count=20, seconds=60)
        self.arrivals = Arrivals()
        """Of those who came by a link."""

    def sign_in(self, address: str) -> None:
        """An attempt to sign in from `address`."""
        self._sign_in.check(address)

    def entry(self, address: str) -> None:
        """A link's token is tried from `address`."""
        self._entry.check(address)

    def creation(self, user: str) -> None:
        """Something is made for `user`: a session, a token, a key."""
        self._creation.check(user)

    def offer(self, session: str, peer: str, person: Person, address: str) -> None:
        """A peer connection is offered by a user, or from `address` by whoever came by one link."""
        if person.link is None:
            self._offer.check(person.id)
        self.arrivals.offer(session, peer, person, address)

    def pull(self, user: str) -> None:
        """`user` asks for a credential's content."""
        self._pull.check(user)

    def exit_check(self, user: str) -> None:
        """`user` has exits asked now."""
        self._exit_check.check(user)
