"""Who watches a session, who drives it, and the links that let somebody in for that alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """What a viewer may become."""

    OWNER = "owner"
    """Drives, and decides who does."""
    ASK = "ask"
    """Watches by a link, may ask to drive, and drives when it is given the desktop."""
    VIEW = "view"
    """Watches by a link, and never drives."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is behind a viewer: what it says is believed of its own peers only."""

    id: str
    """The owner's user id; of a link's guest, the link and the browser."""
    name: str
    kind: Kind
    link: str | None = None
    ends_at: int | None = None
    """Unix milliseconds at which its link is over."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One viewer of a session. `until` is when, by a steady clock, it counts as gone, unless something is heard of it
    before."""

    peer: str
    person: Person
    until: int
    drives: bool = False
    asks: bool = False


@dataclass(frozen=True, slots=True)
class SessionLink:
    """A way into one session for whoever has its token, of which only a digest is kept."""

    id: str
    session: str
    kind: Kind
    label: str
    created_at: int
    expires_at: int | None
    """None: as long as the session lives."""
    revoked_at: int | None = None

    def over(self, now: int) -> str | None:
        """Why it lets nobody in any more, in words for its guest; None while it does."""
        if self.revoked_at is not None:
            return "this link was withdrawn"
        if self.expires_at is not None and self.expires_at <= now:
            return "this link has expired"
        return None


class LinkStore(Protocol):
    """Links into sessions, by the digest of their token."""

    async def add_link(self, link: SessionLink, digest: bytes, *, most: int) -> None:
        """Raises NotFound for a session that does not exist, Conflict when `most` links of it live."""

    async def list_links(self, session: str) -> Sequence[SessionLink]:
        """Oldest first, those that are over too while their rows are kept."""

    async def find_link(self, digest: bytes) -> SessionLink | None: ...
    async def revoke_link(self, session: str, link: str, at: int) -> bool:
        """False when the session has no such link; again is no error."""


class SeatStore(Protocol):
    """Who was in a session, for the controller that comes after this one."""

    async def save_seats(self, session: str, seats: Sequence[Seat]) -> None:
        """In place of what was kept. Of a session that does not exist nothing is kept."""

    async def all_seats(self) -> Mapping[str, Sequence[Seat]]: ...
