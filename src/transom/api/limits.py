"""How often somebody may do what costs: over it, TooMany with the seconds to wait."""

from __future__ import annotations

from transom.auth.limits import RateLimiter


class Limits:
    """One limiter for each kind of act."""

    def __init__(self) -> None:
        self._sign_in = RateLimiter(count=10, seconds=60)
        self._entry = RateLimiter(count=20, seconds=60)
        self._creation = RateLimiter(count=60, seconds=60)
        self._offer = RateLimiter(count=300, seconds=60)
        self._pull = RateLimiter(count=60, seconds=60)
        self._exit_check = RateLimiter(count=20, seconds=60)

    def sign_in(self, address: str) -> None:
        """An attempt to sign in from `address`."""
        self._sign_in.check(address)

    def entry(self, address: str) -> None:
        """A link's token is tried from `address`."""
        self._entry.check(address)

    def creation(self, user: str) -> None:
        """Something is made for `user`: a session, a token, a key."""
        self._creation.check(user)

    def offer(self, source: str) -> None:
        """A peer connection is offered by a user, or by whoever came by one link."""
        self._offer.check(source)

    def pull(self, user: str) -> None:
        """`user` asks for a credential's content."""
        self._pull.check(user)

    def exit_check(self, user: str) -> None:
        """`user` has exits asked now."""
        self._exit_check.check(user)
