"""What people ask of sessions: create, look, stop, keep alive, resize, sign in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from transom.model.clock import Clock
from transom.model.errors import Conflict, Gone, NotFound, Unavailable
from transom.model.ids import is_id, new_id
from transom.model.ports import GuestSender, SigninDesk
from transom.model.session import EndReason, Session, SessionState
from transom.model.stores import SessionStore
from transom.model.user import Principal, User
from transom.sessions import quota
from transom.sessions.ledger import Ledger
from transom.sessions.plan import decide, mark
from transom.sessions.wish import Wish
from transom_wire.link import SetScreen

MAY_WAIT_MS = 3_600_000
"""Earlier than this before now a viewer's own clock is not believed."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What every new session gets, from settings."""

    driver: str
    session_seconds: int
    idle_seconds: int
    per_user: int
    in_all: int


class SessionService:
    """The verbs of the API. Writes rows only; the reconcile loop does the rest."""

    def __init__(
        self,
        *,
        store: SessionStore,
        ledger: Ledger,
        desk: SigninDesk,
        guests: GuestSender,
        image: Callable[[], str | None],
        terms: Terms,
        clock: Clock,
    ) -> None:
        self._store, self._ledger, self._desk, self._guests = store, ledger, desk, guests
        self._image, self._terms, self._clock = image, terms, clock
        self._door = asyncio.Lock()

    async def create(self, user: User, wish: Wish, key: str | None) -> Session:
        """Write the intent. Raises TooMany, NotFound for a provider, Unavailable, Conflict for a reused key."""
        async with self._door:
            if key is not None and (known := await self._store.session_by_key(user.id, key)):
                return self._same(known, wish)
            if wish.provider is not None and not self._desk.knows(wish.provider):
                raise NotFound("no such provider")
            living = await self._store.list_sessions(living=True)
            quota.check(living, user.id, per_user=self._terms.per_user, in_all=self._terms.in_all)
            session = self._new(user, wish)
            written = await self._store.add_session(session, key)
        if written.id == session.id:
            self._ledger.tell(written)
            return written
        return self._same(written, wish)

    def _new(self, user: User, wish: Wish) -> Session:
        image = self._image()
        if image is None:
            raise Unavailable("there is no image yet: run `transom image build`", code="no_image")
        now = self._clock()
        return Session(
            id=new_id("ses"),
            user=user.id,
            state=SessionState.REQUESTED,
            driver=self._terms.driver,
            image=image,
            created_at=now,
            state_since=now,
            expires_at=now + self._terms.session_seconds * 1000,
            idle_seconds=self._terms.idle_seconds,
            last_seen_at=now,
            width=wish.width,
            height=wish.height,
            start_url=wish.start_url,
            machine=new_id("mch"),
            provider=wish.provider,
            timeline={"accepted": 0},
            signin=self._desk.new_flow(wish.provider) if wish.provider else None,
        )

    @staticmethod
    def _same(session: Session, wish: Wish) -> Session:
        if (session.provider, session.start_url) != (wish.provider, wish.start_url):
            raise Conflict("that Idempotency-Key was used for another request", code="key_reused")
        return session

    async def visible(self, session: str, principal: Principal) -> Session:
        """The row, for its owner or an administrator. Raises NotFound alike for unknown and forbidden."""
        found = await self._found(session)
        if found.user != principal.user.id and not principal.administrator:
            raise NotFound("no such session")
        return found

    async def own(self, session: str, principal: Principal) -> Session:
        """The row, for its owner alone: nobody else looks at a screen. Raises NotFound."""
        found = await self._found(session)
        if found.user != principal.user.id:
            raise NotFound("no such session")
        return found

    async def living(self, session: str, principal: Principal) -> Session:
        """The row, for its owner alone, while it lives. Raises NotFound, Gone."""
        found = await self.own(session, principal)
        if found.state.over or found.state is SessionState.STOPPING:
            raise Gone("the session is over", reason=found.wanted_end or "")
        return found

    async def _found(self, session: str) -> Session:
        if not is_id(session, "ses"):
            raise NotFound("no such session")
        return await self._ledger.get(session)

    async def listing(self, user: User) -> Sequence[Session]:
        """One's own living and recent sessions, newest first."""
        rows = await self._store.list_sessions(user=user.id)
        return sorted(rows, key=lambda row: row.created_at, reverse=True)

    async def stop(self, session: Session) -> Session:
        """Decide the end, if it is not decided yet."""
        return await self._ledger.change(session.id, lambda row: decide(row, EndReason.STOPPED))

    async def stop_all_of(self, user: str) -> None:
        """End every living session of a user who is being removed."""
        for session in await self._store.list_sessions(user=user, living=True):
            await self.stop(session)

    async def seen(self, session: Session, first_frame: int | bool | None) -> Session:
        """A viewer's heartbeat, with the time of its first decoded frame if it has one."""
        now = self._clock()
        await self._ledger.touch(session.id, now)
        if first_frame and "first_frame" not in session.timeline:
            at = now if first_frame is True else min(now, max(first_frame, now - MAY_WAIT_MS))
            session = await self._ledger.change(session.id, lambda row: mark(row, "first_frame", at))
        return replace(session, last_seen_at=now)

    async def resize(self, session: Session, width: int, height: int) -> Session:
        """Ask the guest for another desktop size. Raises Unavailable when it cannot be reached now."""
        if not await self._guests.send(session.id, "boot", SetScreen(width, height)):
            raise Unavailable("the machine cannot be reached now", retry_after=1)
        return await self._ledger.change(session.id, lambda row: replace(row, width=width, height=height))

    async def sign_in(self, session: Session, provider: str) -> Session:
        """Begin a flow, in place of one that may be under way. Raises NotFound for a provider."""
        if not self._desk.knows(provider):
            raise NotFound("no such provider")
        if session.signin is not None and not session.signin.stage.over:
            await self._desk.cancel(session)
        flow = self._desk.new_flow(provider)
        return await self._ledger.change(session.id, lambda row: replace(row, signin=flow, provider=provider))

    async def cancel_sign_in(self, session: Session) -> Session:
        """Cancel the flow, if one is under way."""
        signin = await self._desk.cancel(session)
        if signin is None:
            return session

        def store(row: Session) -> Session:
            return replace(row, signin=signin) if row.signin == session.signin else row

        return await self._ledger.change(session.id, store)
