"""One session's viewers and which of them drives: at most one, whatever happens. Pure: events in, commands out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from transom.model.errors import NotFound, Refused, TooMany
from transom.model.seat import Kind, Person, Seat
from transom.stream.names import Names
from transom.stream.seat_events import (
    Asked,
    Came,
    Command,
    Cut,
    Declined,
    Drive,
    End,
    Event,
    Given,
    Left,
    LinkOver,
    Looked,
    Taken,
    Tick,
)

AWAY_MS = 25_000
"""A viewer of whom nothing is heard for this long, two heartbeats and a half, is gone."""
CUT_MS = 6_000
"""So long a viewer whose connection broke keeps its seat: a network that changes, a server that starts again."""
GUESTS_LIMIT = 5
"""Guests by links at once. The guest takes eight viewers: some places stay the owner's."""
PEERS_OF_A_GUEST = 2
PEERS_OF_A_LINK = 4
"""One link may let several persons in. A browser's part of a ticket is what its holder says, so the link counts too: no
holder of one takes the places of all."""
OWN_LIMIT = 16
OWN_LOOKS, GUESTS_LOOKS = 6, 2
"""The owner's looks at once, one for each way; and all guests' together, one by each link."""
LOOKS_OF_A_LINK, LOOKS_MS = 6, 600_000
"""So many looks by one link begin in so long: back to back, they would be a picture that nobody knows of."""


class Seats:
    """Peer -> seat, in the order they came."""

    def __init__(self, seats: Iterable[Seat] = ()) -> None:
        self._seats = {seat.peer: seat for seat in seats}
        self._looks: dict[str, Seat] = {}
        """Nobody sees them, and they drive nothing; they end by themselves, and with their link."""
        self._begun: list[tuple[str, int]] = []
        """Looks by links of late: which link, and when."""
        self._names = Names()
        for seat in self._seats.values():
            self._names.take(seat.peer, seat.person, seat.until, self._there)

    def listing(self) -> tuple[Seat, ...]:
        """Everybody, the longest there first."""
        return tuple(self._seats.values())

    def get(self, peer: str) -> Seat | None:
        """One viewer's seat."""
        return self._seats.get(peer)

    def whose(self, peer: str) -> str | None:
        """The id of the person behind a viewer or a look."""
        seat = self._seats.get(peer) or self._looks.get(peer)
        return seat.person.id if seat else None

    @property
    def idle(self) -> bool:
        """Nobody is there, not even for a look, and nothing is to be remembered."""
        return not (self._seats or self._looks or self._begun or self._names)

    @property
    def driver(self) -> Seat | None:
        """Who drives."""
        return next((seat for seat in self._seats.values() if seat.drives), None)

    def handle(self, event: Event) -> list[Command]:
        """Take in what happened. Raises Conflict, NotFound, Refused, TooMany, and then nothing has changed."""
        before = {seat.peer: seat.drives for seat in self._seats.values()}
        ends = self._apply(event)
        self._settle()
        drives = [
            Drive(seat.peer, seat.drives)
            for seat in self._seats.values()
            if before.get(seat.peer) is not seat.drives
        ]
        drives += [Drive(peer, False) for peer, drove in before.items() if drove and peer not in self._seats]
        return [*ends, *sorted(drives, key=lambda command: command.drives)]

    def _apply(self, event: Event) -> list[Command]:
        match event:
            case Came(peer, person, now):
                self._came(peer, person, now)
            case Looked(peer, person, now):
                self._looked(peer, person, now)
            case Cut(peer, person, now) if self._is(peer, person):
                seat = self._seats[peer]
                self._seats[peer] = replace(seat, until=min(seat.until, now + CUT_MS))
            case Left(peer, person) if self._names.whose(peer) == person.id:
                return self._left(peer)
            case Asked(peer, person):
                self._asked(self._own(peer, person))
            case Given(peer, person, to):
                self._decides(peer, person)
                self._give(to)
            case Declined(peer, person, to):
                self._decides(peer, person)
                self._seats[to] = replace(self._other(to), asks=False)
            case Taken(peer, person):
                self._taken(self._own(peer, person))
            case LinkOver(link, why):
                return self._end([s for s in self._all() if s.person.link == link], why)
            case Tick(now, date):
                return self._tick(now, date)
        return []

    def _is(self, peer: str, person: Person) -> bool:
        seat = self._seats.get(peer)
        return seat is not None and seat.person.id == person.id

    def _own(self, peer: str, person: Person) -> Seat:
        seat = self._seats.get(peer)
        if seat is None or seat.person.id != person.id:
            raise NotFound("no such viewer of yours: say that it is there first")
        return seat

    def _other(self, peer: str) -> Seat:
        seat = self._seats.get(peer)
        if seat is None:
            raise NotFound("no such viewer")
        return seat

    def _came(self, peer: str, person: Person, now: int) -> None:
        self._names.check(peer, person)
        seat = self._seats.get(peer)
        if seat is None:
            self._make_room(person)
            self._seats[peer] = Seat(peer, person, now + AWAY_MS)
        else:
            self._seats[peer] = replace(seat, person=person, until=now + AWAY_MS)
        self._looks.pop(peer, None)
        self._names.take(peer, person, now, self._there)

    def _looked(self, peer: str, person: Person, now: int) -> None:
        """Where that peer is a viewer already, it stays one; a look that is repeated lasts no longer."""
        self._names.check(peer, person)
        if peer in self._seats:
            self._came(peer, person, now)
            return
        if peer in self._looks:
            return
        others = [look.person for look in self._looks.values()]
        own = sum(other.link == person.link for other in others)
        guests = sum(other.link is not None for other in others)
        if own >= OWN_LOOKS if person.link is None else own or guests >= GUESTS_LOOKS:
            raise TooMany("too many looks at once", retry_after=5)
        self._begin(person.link, now)
        self._looks[peer] = Seat(peer, person, now + AWAY_MS)
        self._names.take(peer, person, now, self._there)

    def _begin(self, link: str | None, now: int) -> None:
        if link is None:
            return
        of_late = [at for other, at in self._begun if other == link and now - at < LOOKS_MS]
        if len(of_late) >= LOOKS_OF_A_LINK:
            wait = (of_late[0] + LOOKS_MS - now) // 1000 + 1
            raise TooMany("too many looks by this link of late", retry_after=wait)
        self._begun.append((link, now))

    def _there(self, peer: str) -> bool:
        return peer in self._seats or peer in self._looks

    def _left(self, peer: str) -> list[Command]:
        """Who is seen no more sees no more: a picture without a seat would outlive its link."""
        for there in (self._seats, self._looks):
            there.pop(peer, None)
        return [End(peer, "the viewer left", final=False)]

    def _all(self) -> list[Seat]:
        return [*self._seats.values(), *self._looks.values()]

    def _make_room(self, person: Person) -> None:
        seats = self._seats.values()
        own = sum(seat.person.id == person.id for seat in seats)
        if person.kind is Kind.OWNER:
            full = own >= OWN_LIMIT
        else:
            guests = sum(seat.person.kind is not Kind.OWNER for seat in seats)
            by_link = sum(seat.person.link == person.link for seat in seats)
            full = own >= PEERS_OF_A_GUEST or by_link >= PEERS_OF_A_LINK or guests >= GUESTS_LIMIT
        if full:
            raise TooMany("this session has too many viewers", retry_after=5)

    def _asked(self, seat: Seat) -> None:
        if seat.person.kind is Kind.VIEW:
            raise Refused("this link is for watching only", code="view_only")
        if not seat.drives:
            self._seats[seat.peer] = replace(seat, asks=True)

    def _decides(self, peer: str, person: Person) -> None:
        seat = self._own(peer, person)
        if not seat.drives and seat.person.kind is not Kind.OWNER:
            raise Refused("only the driver and the owner decide who drives")

    def _taken(self, seat: Seat) -> None:
        if seat.person.kind is not Kind.OWNER:
            raise Refused("only the owner takes the desktop without asking")
        self._give(seat.peer)

    def _give(self, to: str) -> None:
        if self._other(to).person.kind is Kind.VIEW:
            raise Refused("that viewer may only watch", code="view_only")
        for peer, seat in self._seats.items():
            drives = peer == to
            self._seats[peer] = replace(seat, drives=drives, asks=seat.asks and not drives)

    def _tick(self, now: int, date: int) -> list[Command]:
        ends: list[Command] = []
        self._names.tick(now, self._there)
        self._begun = [(link, at) for link, at in self._begun if now - at < LOOKS_MS]
        for seat in self._all():
            if seat.person.ends_at is not None and seat.person.ends_at <= date:
                ends += self._end([seat], "this link has expired")
            elif seat.until <= now and seat.peer in self._looks:
                ends += self._end([seat], "this look is over")
            elif seat.until <= now and seat.person.kind is Kind.OWNER:
                # its picture goes on: it may come back, and nobody else is kept out by it
                del self._seats[seat.peer]
            elif seat.until <= now:
                ends += self._end([seat], "nothing was heard of this viewer any more")
        return ends

    def _end(self, seats: Iterable[Seat], why: str) -> list[Command]:
        ends: list[Command] = []
        for seat in seats:
            (self._looks if seat.peer in self._looks else self._seats).pop(seat.peer)
            ends.append(End(seat.peer, why))
        return ends

    def _settle(self) -> None:
        """A free desktop is the owner's: the viewer of theirs that is there longest."""
        if self.driver is None:
            own = [seat for seat in self._seats.values() if seat.person.kind is Kind.OWNER]
            if own:
                self._give(own[0].peer)
