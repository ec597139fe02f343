"""Links into one session: made by its owner, entered by whoever has the token, over when they say so."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from transom.auth.secret import digest_of, new_secret
from transom.model.clock import Clock
from transom.model.errors import Gone, NotFound
from transom.model.ids import new_id
from transom.model.seat import Kind, LinkStore, Person, SessionLink

LINKS_LIMIT = 16
"""Links of one session that live at once."""
_BROWSER = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True)
class Guest:
    """Who came by a link."""

    link: SessionLink
    person: Person


class LinkService:
    """A token is shown once, when its link is made; the store has its SHA-256. Raises Unavailable where it does."""

    def __init__(self, store: LinkStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._waiting: dict[str, set[asyncio.Event]] = {}

    async def make(
        self, session: str, kind: Kind, label: str, seconds: int | None
    ) -> tuple[SessionLink, str]:
        """A new link and its token; without `seconds` it lives as long as its session. Raises Conflict, NotFound."""
        token, now = new_secret(), self._clock()
        ends_at = None if seconds is None else now + seconds * 1000
        link = SessionLink(new_id("lnk"), session, kind, label, now, ends_at)
        digest = digest_of(token)
        assert digest is not None
        await self._store.add_link(link, digest, most=LINKS_LIMIT)
        return link, token

    async def listing(self, session: str) -> Sequence[SessionLink]:
        """Oldest first."""
        return await self._store.list_links(session)

    async def revoke(self, session: str, link: str) -> None:
        """Withdraw a link: whoever is in by it is out at once. Raises NotFound."""
        if not await self._store.revoke_link(session, link, self._clock()):
            raise NotFound("no such link")
        for ended in self._waiting.pop(link, ()):
            ended.set()

    async def enter(self, token: str) -> tuple[SessionLink, str]:
        """The link of `token`, and a ticket for one browser. Raises NotFound, Gone."""
        return await self._living(token), f"{token}.{secrets.token_urlsafe(16)}"

    async def guest(self, ticket: str) -> Guest | None:
        """Who this ticket is, or None for nobody. Raises Gone when its link is over."""
        token, _, browser = ticket.partition(".")
        if _BROWSER.fullmatch(browser) is None:
            return None
        try:
            link = await self._living(token)
        except NotFound:
            return None
        mark = hashlib.sha256(browser.encode()).hexdigest()[:16]
        name = link.label or "Guest"
        return Guest(link, Person(f"{link.id}.{mark}", name, link.kind, link.id, link.expires_at))

    async def ended(self, link: SessionLink) -> str:
        """Wait until the link is over; why, in words for its guest."""
        ended, waiting = asyncio.Event(), self._waiting.setdefault(link.id, set())
        waiting.add(ended)
        left = None if link.expires_at is None else max(0, link.expires_at - self._clock()) / 1000
        try:
            async with asyncio.timeout(left):
                await ended.wait()
        except TimeoutError:
            return "this link has expired"
        finally:
            waiting.discard(ended)
            if not waiting and self._waiting.get(link.id) is waiting:
                del self._waiting[link.id]
        return "this link was withdrawn"

    async def _living(self, token: str) -> SessionLink:
        digest = digest_of(token)
        link = await self._store.find_link(digest) if digest is not None else None
        if link is None:
            raise NotFound("no such link")
        over = link.over(self._clock())
        if over is not None:
            raise Gone(over, reason="link")
        return link
