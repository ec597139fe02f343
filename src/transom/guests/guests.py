"""All guests of this controller: one task for each living session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from transom.guests.guest import Guest
from transom.guests.inbox import Inbox
from transom.model.errors import Unavailable
from transom.model.ports import Driver
from transom_wire.codec import encode
from transom_wire.control import Claim, ClaimAnswer, ControllerMessage, Snapshot, ToGuest, Usage
from transom_wire.link import ToGuestMessage

log = structlog.get_logger(__name__)
LAST_WORDS_S = 5.0
"""Seconds for a keeper to hand over what its machine said last; a sealed credential is committed in far less."""


class Guests:
    """Implements GuestSender, and what sessions and broker need of keepers."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._inbox: Inbox | None = None
        self._guests: dict[str, tuple[Guest, asyncio.Task[None]]] = {}
        self._watchers: list[Callable[[str, Usage], None]] = []
        self._attached: list[Callable[[str, Snapshot], Awaitable[None]]] = []

    def deliver_to(self, inbox: Inbox) -> None:
        """Say once, before the first hold, who takes in what guests say."""
        self._inbox = inbox

    def hold(self, session: str, machine: str) -> None:
        """Attach, and stay attached until released. Idempotent."""
        if session in self._guests:
            return
        assert self._inbox is not None, "deliver_to comes first"
        guest = Guest(session, machine, self._driver, self._inbox, self._used, self._came)
        task = asyncio.create_task(guest.run(), name=f"guest {session}")
        self._guests[session] = (guest, task)
        task.add_done_callback(lambda ended: self._ended(session, ended))

    async def release(self, session: str) -> None:
        """Let go; the machine lives on. Idempotent."""
        held = self._guests.pop(session, None)
        if held is not None:
            held[1].cancel()
            await asyncio.gather(held[1], return_exceptions=True)

    async def last_words(self, session: str, machine: str) -> None:
        """Take in what the keeper of a machine that is gone still holds, if it answers at all."""
        held = self._guests.get(session)
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                if held is None:
                    assert self._inbox is not None, "deliver_to comes first"
                    await Guest(session, machine, self._driver, self._inbox).hear_out()
                elif held[0].connected or held[0].exited:
                    await asyncio.wait({held[1]})
        except TimeoutError:
            log.warning("a keeper did not finish", session=session)

    def watch_usage(self, watcher: Callable[[str, Usage], None]) -> None:
        """Call `watcher(session, usage)` each time a keeper says what its machine uses."""
        self._watchers.append(watcher)

    def watch_attached(self, watcher: Callable[[str, Snapshot], Awaitable[None]]) -> None:
        """Call `watcher(session, snapshot)` each time a keeper answers; again while it raises Unavailable."""
        self._attached.append(watcher)

    async def _came(self, session: str, snapshot: Snapshot) -> None:
        for watcher in self._attached:
            await watcher(session, snapshot)

    def _used(self, session: str, usage: Usage) -> None:
        for watcher in self._watchers:
            watcher(session, usage)

    def usage(self, session: str) -> Usage | None:
        """What the session's machine used when its keeper last said so."""
        guest = self._of(session)
        return guest.usage if guest else None

    async def claim(self, session: str, machine: str, claim: Claim) -> ClaimAnswer:
        """Hold the warm `machine` for `session` and have it become that session's. The caller sets the deadline.
        Raises Unavailable when the hold ended meanwhile."""
        self.hold(session, machine)
        guest, task = self._guests[session]
        asking = asyncio.ensure_future(guest.claim(claim))
        try:
            await asyncio.wait({asking, task}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            raise Unavailable("the warm machine ended")
        finally:
            asking.cancel()

    async def close(self) -> None:
        """Let go of all."""
        await asyncio.gather(*(self.release(session) for session in list(self._guests)))

    async def tell(self, session: str, message: ControllerMessage) -> bool:
        """Send to the session's keeper; False when it cannot be reached now."""
        guest = self._of(session)
        return guest is not None and await guest.tell(message)

    async def send(self, session: str, role: str, message: ToGuestMessage) -> bool:
        """Send to the guest's `role`; False when keeper or role cannot be reached now."""
        if not self.has_role(session, role):
            return False
        return await self.tell(session, ToGuest(role, encode(message)))

    def holding(self, session: str) -> bool:
        """A task holds the channel, or keeps trying for it."""
        return session in self._guests

    def connected(self, session: str) -> bool:
        """The keeper answered and has not gone."""
        guest = self._of(session)
        return guest is not None and guest.connected

    def has_role(self, session: str, role: str) -> bool:
        """That part of the guest is on the link."""
        guest = self._of(session)
        return guest is not None and role in guest.roles

    def deadline(self, session: str) -> int | None:
        """What the keeper was told last, Unix milliseconds."""
        guest = self._of(session)
        return guest.deadline if guest else None

    def door(self, session: str) -> tuple[str, int] | None:
        """Address and UDP port of the session's door."""
        guest = self._of(session)
        if guest is None or guest.snapshot is None:
            return None
        return guest.snapshot.door_address, guest.snapshot.door_port

    def _of(self, session: str) -> Guest | None:
        held = self._guests.get(session)
        return held[0] if held else None

    def _ended(self, session: str, task: asyncio.Task[None]) -> None:
        held = self._guests.get(session)
        if held is not None and held[1] is task:
            del self._guests[session]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a guest's task broke", session=session, error=repr(error))
