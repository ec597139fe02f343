"""Who watches a session and who drives it: asked, given, taken, refused. By events, or by these routes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from transom.api.access import Owned, P, Who
from transom.api.bodies import Body, PeerName
from transom.api.parts import Parts
from transom.model.errors import Invalid
from transom.model.seat import Kind, Person, Seat
from transom.model.user import Principal
from transom.stream.seat_events import Asked, Declined, Event, Given, Left, Taken

router = APIRouter(tags=["viewers"])


class SeatAct(Body):
    """What the viewer `peer` does: says that it is `here`, asks, takes, leaves; or gives to or refuses `to`."""

    do: Literal["here", "leave", "request", "take", "give", "refuse"]
    peer: PeerName
    to: PeerName | None = None


class ViewerView(BaseModel):
    """One viewer. `kind`: `owner`, `ask` (by a link, may ask to drive) or `view` (by a link, watches)."""

    peer: str
    name: str
    kind: str
    drives: bool
    asks: bool


class SeatsView(BaseModel):
    """Who is there, the longest first."""

    viewers: list[ViewerView]


def person_of(principal: Principal) -> Person:
    """The session's owner as a viewer."""
    return Person(principal.user.id, principal.user.name, Kind.OWNER)


async def _owner(who: Who) -> Person:
    return person_of(who)


OwnerPerson = Annotated[Person, Depends(_owner)]


def listing(seats: Iterable[Seat]) -> list[dict[str, Any]]:
    """Seats as everybody in the session may see them."""
    return [
        {
            "peer": seat.peer,
            "name": seat.person.name,
            "kind": seat.person.kind.value,
            "drives": seat.drives,
            "asks": seat.asks,
        }
        for seat in seats
    ]


@router.get("/api/sessions/{session}/seats")
async def get_seats(owned: Owned, parts: P) -> SeatsView:
    """Who watches, and who drives."""
    return SeatsView.model_validate({"viewers": listing(parts.seating.seats(owned.id))})


@router.post("/api/sessions/{session}/seats")
async def post_seats(owned: Owned, wanted: SeatAct, person: OwnerPerson, parts: P) -> SeatsView:
    """Ask, give, take or refuse; the answer has how it is then."""
    await act(parts, owned.id, person, wanted)
    return await get_seats(owned, parts)


async def act(parts: Parts, session: str, person: Person, wanted: SeatAct) -> None:
    """Carry out what one viewer does. Raises TransomError."""
    if wanted.do == "here":
        await parts.seating.came(session, wanted.peer, person)
    else:
        await parts.seating.act(session, _event(wanted, person))


async def came(parts: Parts, session: str, person: Person, peer: str) -> None:
    """Something was heard of a viewer. Raises Conflict for another's name, TooMany."""
    await parts.seating.came(session, peer, person)


async def looked(parts: Parts, session: str, person: Person, peer: str) -> None:
    """A look begins. Raises Conflict for another's name, TooMany."""
    await parts.seating.looked(session, peer, person)


def _event(wanted: SeatAct, person: Person) -> Event:
    peer, to = wanted.peer, wanted.to
    if wanted.do in ("give", "refuse"):
        if to is None:
            raise Invalid("say `to` whom")
        return Given(peer, person, to) if wanted.do == "give" else Declined(peer, person, to)
    match wanted.do:
        case "leave":
            return Left(peer, person)
        case "request":
            return Asked(peer, person)
        case _:
            return Taken(peer, person)
