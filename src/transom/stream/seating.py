"""Carries out what `seats` decides: tells guests, ends pictures, remembers over a restart, tells who listens."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

import structlog

from transom.model.clock import Clock
from transom.model.errors import TransomError, Unavailable
from transom.model.listeners import Listeners
from transom.model.seat import Person, Seat, SeatStore
from transom.stream.seat_events import Came, Command, Cut, End, Event, Left, LinkOver, Looked, Tick
from transom.stream.seats import AWAY_MS, Seats
from transom.stream.terms import WATCHER
from transom_wire.link import PeerChange, PeerTerms, ToGuestMessage

log = structlog.get_logger(__name__)
TICK_S = 1.0
SAVE_S = 0.1
"""Between two writes: a page that opens is one change and not three."""
Listener = Callable[[tuple[Seat, ...]], None]


class Room(Protocol):
    """What is needed of guests, and of the broker."""

    async def send(self, session: str, role: str, message: ToGuestMessage) -> bool: ...


class Dismissing(Protocol):
    """Ends one viewer's peer connection; False when nobody could be told now."""

    async def __call__(self, session: str, peer: str, why: str, *, final: bool) -> bool:
        """`final`: also what it offers while this is told."""


class Seating:
    """Every session's seats. What a guest could not be told is owed to it, and told later."""

    def __init__(
        self,
        store: SeatStore,
        guests: Room,
        clock: Clock,
        *,
        steady: Clock,
        driver: PeerTerms,
        dismiss: Dismissing,
        unseated: Callable[[str, str], None] = lambda _session, _peer: None,
    ) -> None:
        """`clock` says when links end, `steady` how long nothing was heard of somebody; `unseated` hears of each
        viewer whose seat is free again."""
        self._store, self._guests, self._clock, self._steady = store, guests, clock, steady
        self._driver, self._dismiss, self._unseated = driver, dismiss, unseated
        self._sessions: dict[str, Seats] = {}
        self._owed: dict[str, dict[str, Command]] = {}
        self._unsaved: set[str] = set()
        self._save_soon = asyncio.Event()
        self._locks: dict[str, asyncio.Lock] = {}
        self._listeners: Listeners[Listener] = Listeners()
        self._held: Counter[tuple[str, str]] = Counter()

    async def open(self) -> None:
        """Know again who was there before a restart: the driver keeps the desktop while it is expected back."""
        until = self._steady() + AWAY_MS
        for session, seats in (await self._store.all_seats()).items():
            self._sessions[session] = Seats(replace(seat, until=until) for seat in seats)

    def seats(self, session: str) -> tuple[Seat, ...]:
        """Who is there, the longest first."""
        return self._of(session).listing()

    def drives(self, session: str, peer: str) -> bool:
        """Whether this viewer drives."""
        seat = self._of(session).get(peer)
        return seat is not None and seat.drives

    def whose(self, session: str, peer: str) -> str | None:
        """The id of the person behind a viewer, or a look."""
        return self._of(session).whose(peer)

    def seated(self, session: str, peer: str) -> bool:
        """Whether this viewer may have a picture: it has a seat, or a look."""
        return self.whose(session, peer) is not None

    def guests(self, session: str) -> int:
        """How many are there by links."""
        return sum(seat.person.link is not None for seat in self.seats(session))

    def terms(self, session: str, peer: str) -> PeerTerms:
        """What an offer of this viewer's carries to the guest."""
        return self._driver if self.drives(session, peer) else WATCHER

    async def act(self, session: str, event: Event) -> None:
        """Take in an event, and return once the guest was told if it can be. Raises what Seats.handle does."""
        seats = self._sessions.setdefault(session, Seats())
        held = seats.listing()
        before = _shown(held)
        self._owe(session, seats.handle(event))
        if before != _shown(seats.listing()):
            self._unsaved.add(session)
            self._save_soon.set()
            self._tell(session)
            for peer in {seat.peer for seat in held} - {seat.peer for seat in seats.listing()}:
                self._unseated(session, peer)
        if session in self._owed:
            async with self._locks.setdefault(session, asyncio.Lock()):
                await self._pay(session)

    async def came(self, session: str, peer: str, person: Person) -> None:
        """Something was heard of a viewer. Raises what Seats.handle does."""
        await self.act(session, Came(peer, person, self._steady()))

    async def looked(self, session: str, peer: str, person: Person) -> None:
        """A look begins. Raises what Seats.handle does."""
        await self.act(session, Looked(peer, person, self._steady()))

    async def hold(self, session: str, peer: str, person: Person) -> None:
        """A connection is this viewer's from now on. Raises what Seats.handle does."""
        await self.came(session, peer, person)
        self._held[session, peer] += 1

    async def let_go(self, session: str, peer: str, person: Person) -> None:
        """That connection ended; with the last of them the viewer has some seconds to come back."""
        self._held[session, peer] -= 1
        if self._held[session, peer] <= 0:
            del self._held[session, peer]
            if session in self._sessions:
                await self.act(session, Cut(peer, person, self._steady()))

    async def gone(self, session: str, peer: str, person: Person) -> None:
        """A viewer said goodbye. One that holds a connection goes on by another rung."""
        if (session, peer) not in self._held:
            await self.act(session, Left(peer, person))

    async def link_over(self, session: str, link: str, why: str) -> None:
        """End the pictures of everybody who came by this link."""
        await self.act(session, LinkOver(link, why))

    def listen(self, session: str, listener: Listener) -> AbstractContextManager[None]:
        """Call `listener` with all seats on each change while the block runs."""
        return self._listeners.listen(session, listener)

    def over(self, session: str) -> None:
        """The session ended."""
        for kept in (self._sessions, self._owed, self._locks):
            kept.pop(session, None)
        self._unsaved.discard(session)

    async def run(self) -> None:
        """Let time pass, keep what changed, and try again what failed, until cancelled."""
        async with asyncio.TaskGroup() as works:
            works.create_task(self._tick())
            works.create_task(self._keep())

    async def save(self) -> None:
        """Keep what changed; what cannot be kept now is tried again."""
        for session in list(self._unsaved):
            self._unsaved.discard(session)
            try:
                await self._store.save_seats(session, self.seats(session))
            except Unavailable as error:
                self._unsaved.add(session)
                log.warning("seats are not kept", session=session, reason=error.message)

    async def _keep(self) -> None:
        """No viewer waits for the disk."""
        while True:
            await self._save_soon.wait()
            self._save_soon.clear()
            await self.save()
            await asyncio.sleep(SAVE_S)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if self._unsaved:
                self._save_soon.set()
            for session in list(self._sessions):
                try:
                    await self.act(session, Tick(self._steady(), self._clock()))
                except TransomError as error:
                    log.warning("seats are not settled", session=session, reason=error.message)
                if self._of(session).idle and session not in self._owed and session not in self._unsaved:
                    self.over(session)

    def _of(self, session: str) -> Seats:
        return self._sessions.get(session) or Seats()

    def _owe(self, session: str, commands: list[Command]) -> None:
        owed = self._owed.get(session, {})
        for command in commands:
            end = owed.get(command.peer)
            back = self._of(session).get(command.peer) is not None
            if isinstance(end, End) and (end.final or not back) and not getattr(command, "drives", False):
                continue
            owed[command.peer] = command
        if owed:
            self._owed[session] = owed

    async def _pay(self, session: str) -> None:
        """Who must stop is told first: nobody new drives while the guest may still listen to another."""
        owed = self._owed.get(session, {})
        for command in sorted(owed.values(), key=lambda command: getattr(command, "drives", False)):
            if owed.get(command.peer) is not command:
                continue
            if not await self._do(session, command):
                return
            if owed.get(command.peer) is command:
                del owed[command.peer]
        if not owed:
            self._owed.pop(session, None)

    async def _do(self, session: str, command: Command) -> bool:
        if isinstance(command, End):
            return await self._dismiss(session, command.peer, command.why, final=command.final)
        terms = self._driver if command.drives else WATCHER
        return await self._guests.send(session, "webrtc", PeerChange(command.peer, terms))

    def _tell(self, session: str) -> None:
        seats = self.seats(session)
        for listener in self._listeners.of(session):
            listener(seats)


def _shown(seats: tuple[Seat, ...]) -> list[tuple[object, ...]]:
    """What of the seats anybody would want to hear of: not the time at which each was heard of last."""
    return [(seat.peer, seat.person, seat.drives, seat.asks) for seat in seats]
