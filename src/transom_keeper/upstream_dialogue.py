"""What is said with a proxy until it has reached the site: bytes in, bytes out, no I/O."""

from __future__ import annotations

from typing import Protocol


class UpstreamError(Exception):
    """The proxy did not do it. `cause` is one of EXIT_FAULTS or SITE_FAULTS of `transom_wire.exit`, or `address`;
    `detail` says more in a few words, and nothing that the proxy could have chosen but a number."""

    def __init__(self, cause: str, detail: str = "") -> None:
        super().__init__(detail or cause)
        self.cause, self.detail = cause, detail


class Dialogue(Protocol):
    """One conversation: `begin`, then `take` until `done`."""

    done: bool
    asked: bool
    """True once the proxy was asked for the site: what it waits for from then on may be the site."""
    early: bytes
    """Once done: what came right behind the proxy's last word, the site's first bytes."""

    def begin(self) -> bytes:
        """What to say first. Raises UpstreamError."""

    def take(self, data: bytes) -> bytes:
        """Take in what came, b"" at the end of the connection; return what to say. Raises UpstreamError."""
