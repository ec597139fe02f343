"""What the page of a viewer says on its events' WebSocket: offers, signs of life, seats. Done, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from transom.api import refusals
from transom.api.bodies import Body, Epoch, Offer, PeerName
from transom.api.parts import Parts
from transom.api.quality_bodies import Heartbeat
from transom.api.seats import SeatAct, act, came
from transom.api.signalling import heard, offered, parted
from transom.model.errors import Conflict, TooMany, TransomError
from transom.model.seat import Kind, Person, Seat
from transom.model.session import Session

NAMES_LIMIT = 16
"""Peers that one page may be."""


class Bye(Body):
    """A viewer leaves."""

    peer: PeerName
    epoch: Epoch


OFFER, BYE, HEARTBEAT = TypeAdapter(Offer), TypeAdapter(Bye), TypeAdapter(Heartbeat)
SEAT = TypeAdapter(SeatAct)
Put = Callable[[dict[str, Any]], None]
Seated = Callable[[tuple[Seat, ...]], None]


class ViewerPage:
    """One page, which may be several peers one after another."""

    def __init__(
        self, parts: Parts, session: Session, person: Person, address: str, put: Put, seated: Seated
    ) -> None:
        """`put` is given what the page is told, and `seated` the seats when it became another peer."""
        self._parts, self._person, self._address = parts, person, address
        self._put, self._seated = put, seated
        self.session = session
        """As the page knows it."""
        self.names: list[str] = []
        """The peers it is, the newest last."""

    @property
    def newest(self) -> str | None:
        """The peer it is now."""
        return self.names[-1] if self.names else None

    async def leave(self) -> None:
        """Hold no seat any more."""
        for name in self.names:
            await self._parts.seating.let_go(self.session.id, name, self._person)

    async def take(self, text: str) -> None:
        """Do what one message says, or refuse it by one."""
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            self._refuse(None, {}, "invalid", "not a JSON object")
            return
        kind = body.pop("type", None)
        try:
            await self._act(kind, body)
        except ValidationError:
            self._refuse(kind, body, "invalid", "a field is missing, unknown or of another kind")
        except TransomError as error:
            self._refuse(kind, body, error.code, error.message, error.retry_after)

    async def _act(self, kind: object, body: dict[str, Any]) -> None:
        parts, session = self._parts, self.session
        if kind == "offer":
            offer = OFFER.validate_python(body)
            await offered(parts, session, self._person, offer, self._address, self._is)
        elif kind == "bye":
            bye = BYE.validate_python(body)
            owns = self._person.kind is Kind.OWNER
            if owns or parts.seating.whose(session.id, bye.peer) == self._person.id:
                await parted(parts, session.id, self._person, bye.peer, bye.epoch)
        elif kind == "heartbeat":
            beat = HEARTBEAT.validate_python(body)
            if beat.peer is not None:
                await self._is(beat.peer)
            await heard(parts, session, self._person, beat)
        elif kind == "seat":
            seat = SEAT.validate_python(body)
            await self._sits(seat)
        elif kind in ("pong", "ping"):
            for name in self.names:
                await came(parts, session.id, self._person, name)
            if kind == "ping":
                self._put({"type": "pong"})
        else:
            self._refuse(None, body, "invalid", "unknown type")

    async def _sits(self, seat: SeatAct) -> None:
        """Who leaves is held no more: no later sign of life of this page seats it again. Raises TransomError."""
        parts, session = self._parts, self.session.id
        if seat.do != "leave":
            await self._is(seat.peer)
        elif parts.seating.whose(session, seat.peer) not in (None, self._person.id):
            raise Conflict("this peer's name is another viewer's", code="peer_taken")
        await act(parts, session, self._person, seat)
        if seat.do == "leave" and seat.peer in self.names:
            self.names.remove(seat.peer)
            await parts.seating.let_go(session, seat.peer, self._person)

    async def _is(self, peer: str) -> None:
        """This page is that peer: its seat is held while the socket is open. Raises Conflict, TooMany."""
        if peer in self.names:
            return
        if len(self.names) >= NAMES_LIMIT:
            raise TooMany("one page is not so many viewers", retry_after=5)
        await self._parts.seating.hold(self.session.id, peer, self._person)
        self.names.append(peer)
        self._seated(self._parts.seating.seats(self.session.id))

    def _refuse(
        self, kind: object, body: dict[str, Any], code: str, message: str, retry_after: int | None = None
    ) -> None:
        refusals.count(self._parts, kind if isinstance(kind, str) else "message", code)
        peer, epoch = body.get("peer"), body.get("epoch")
        offers = body.get("sdp") is not None and isinstance(peer, str) and isinstance(epoch, int)
        where: dict[str, Any] = {"peer": None, "epoch": None}
        if offers or code == "peer_taken":
            where["peer"] = str(peer)[:64]
        if offers:
            where["epoch"] = epoch
        patience = {} if retry_after is None else {"retry_after": retry_after}
        self._put({"type": "refused", **where, "code": code, "message": message, **patience})
