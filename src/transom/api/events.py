"""`/api/sessions/{id}/events`: the fast road of signalling, and a session's changes as they happen."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import TypeAdapter, ValidationError

from transom.api import refusals, sockets
from transom.api.bodies import Body, Epoch, Offer, PeerName
from transom.api.exit_views import own_view
from transom.api.parts import Parts, parts_of
from transom.api.quality_bodies import Heartbeat
from transom.api.seats import SeatAct, act, came, listing
from transom.api.signalling import heard, offered, parted
from transom.api.sockets import Closing, Visitor
from transom.api.views import guest_session
from transom.egress.service import OwnExit
from transom.model.errors import Conflict, TooMany, TransomError
from transom.model.seat import Kind, Seat
from transom.model.session import Session
from transom.stream.peers import Refusal

router = APIRouter()
log = structlog.get_logger(__name__)
MESSAGE_LIMIT = 160 * 1024
"""Characters of one message."""
PING_S = 10.0
"""Proxies cut what is silent for a minute."""
SILENT_S = 30.0
"""A page that says nothing for this long, not even pong, is gone."""
OUTBOX_LIMIT = 64
"""Messages that wait for a slow page, sessions aside: of those only the newest waits."""
NAMES_LIMIT = 16
"""Peers that one page may be."""
BURST, BURST_S = 120, 10.0
"""Messages a page may send in that many seconds."""
places = sockets.Places(limit=16)


class Bye(Body):
    """A viewer leaves."""

    peer: PeerName
    epoch: Epoch


OFFER, BYE, HEARTBEAT = TypeAdapter(Offer), TypeAdapter(Bye), TypeAdapter(Heartbeat)
SEAT = TypeAdapter(SeatAct)
Admit = Callable[[WebSocket, str], Awaitable[Visitor]]
"""Who opened this socket. Raises Closing."""


@router.websocket("/api/sessions/{session}/events")
async def events(socket: WebSocket, session: str) -> None:
    """Serve one page until it leaves, or the session is over."""
    await serve(socket, session, sockets.admit, places)


async def serve(socket: WebSocket, session: str, admit: Admit, places: sockets.Places) -> None:
    """Serve whoever `admit` lets in."""
    await socket.accept()
    try:
        # Listening comes first, so that no change falls between what is read and what is heard.
        changes = Changes()
        with parts_of(socket).ledger.watch(session, changes):
            visitor = await admit(socket, session)
            with places.take(visitor.session.id, visitor.person.link):
                await Stream(socket, parts_of(socket), visitor, changes).run()
    except Closing as closing:
        await sockets.close(socket, closing)
    except WebSocketDisconnect:
        return
    except Exception:
        log.exception("an events socket broke", session=session)
        await sockets.close(socket, Closing(sockets.OURS, "a fault of the server; its log says more"))


class Changes:
    """A ledger's watcher: the newest row, told on once somebody listens."""

    def __init__(self) -> None:
        self.newest: Session | None = None
        self.tell: Callable[[Session], None] | None = None

    def __call__(self, session: Session) -> None:
        self.newest = session
        if self.tell is not None:
            self.tell(session)


class Stream:
    """One page's socket."""

    def __init__(self, socket: WebSocket, parts: Parts, visitor: Visitor, changes: Changes) -> None:
        self._socket, self._parts = socket, parts
        self._visitor, self._person = visitor, visitor.person
        self._owner = visitor.person.kind is Kind.OWNER
        self._view = parts.views.session if self._owner else guest_session
        self._names: list[str] = []
        """The peers this page is, the newest last."""
        self._seats: tuple[Seat, ...] | None = None
        self._session = changes.newest or visitor.session
        self._shown: Session | None = self._session
        changes.tell = self._changed
        self._outbox: deque[dict[str, Any]] = deque()
        self._wake = asyncio.Event()
        self._wake.set()
        self._full = False
        self._heard_at = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Send, receive and ping until one of them ends. Raises Closing, WebSocketDisconnect."""
        session, parts = self._session.id, self._parts
        with ExitStack() as listening:
            listening.enter_context(parts.ledger.watch(session, self._changed))
            listening.enter_context(parts.broker.listen(session, self._said))
            listening.enter_context(parts.seating.listen(session, self._seated))
            if self._owner:
                self._leaves(listening.enter_context(parts.egress.listen(self._person.id, self._leaves)))
            self._shown = await parts.ledger.get(session)
            self._seated(parts.seating.seats(session))
            works = (self._send, self._receive, self._ping, self._visitor.stays)
            tasks = [asyncio.ensure_future(work()) for work in works]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
                for name in self._names:
                    await parts.seating.let_go(session, name, self._person)
        del outcomes
        for task in done:
            task.result()

    def _changed(self, session: Session) -> None:
        self._shown = session
        self._wake.set()

    def _leaves(self, way_out: OwnExit) -> None:
        self._put({"type": "exit", "exit": own_view(way_out)})

    def _seated(self, seats: tuple[Seat, ...]) -> None:
        self._seats = seats
        self._wake.set()

    def _said(self, peer: str, epoch: int, outcome: str | Refusal) -> None:
        if not self._owner and peer not in self._names:
            return
        if isinstance(outcome, Refusal):
            self._put({"type": "refused", "peer": peer, "epoch": epoch, **_why(outcome)})
        else:
            self._put({"type": "answer", "peer": peer, "epoch": epoch, "sdp": outcome})

    def _put(self, message: dict[str, Any]) -> None:
        self._full = self._full or len(self._outbox) >= OUTBOX_LIMIT
        if not self._full:
            self._outbox.append(message)
        self._wake.set()

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._full:
                raise Closing(sockets.TOO_MANY, "this page is too slow")
            shown, self._shown = self._shown, None
            if shown is not None:
                await self._say({"type": "session", "session": self._view(shown)})
            seats, self._seats = self._seats, None
            if seats is not None:
                you = self._names[-1] if self._names else None
                await self._say({"type": "seats", "viewers": listing(seats), "you": you})
            while self._outbox:
                await self._say(self._outbox.popleft())
            if shown is not None and shown.state.over:
                raise Closing(sockets.OVER, shown.wanted_end or "over")
            if shown is not None:
                self._session = shown

    async def _say(self, message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(SILENT_S):
                await self._socket.send_text(json.dumps(message, separators=(",", ":")))
        except TimeoutError as error:
            raise Closing(sockets.SILENT, "this page takes nothing") from error
        except sockets.GONE as error:
            raise WebSocketDisconnect(1006) from error

    async def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PING_S)
            if loop.time() - self._heard_at > SILENT_S:
                raise Closing(sockets.SILENT, "silent for too long")
            self._put({"type": "ping"})

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        since, count = loop.time(), 0
        while True:
            text = await self._next()
            self._heard_at = loop.time()
            if self._heard_at - since > BURST_S:
                since, count = self._heard_at, 0
            count += 1
            if count > BURST:
                self._parts.metrics.signalling("message_limited")
                raise Closing(sockets.TOO_MANY, "too many messages")
            await self._take(text)

    async def _next(self) -> str:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text: str = message.get("text") or ""
        if len(text) > MESSAGE_LIMIT or len(message.get("bytes") or b"") > MESSAGE_LIMIT:
            refusals.count(self._parts, "message", "too_large")
            raise Closing(sockets.TOO_LARGE, "the message is too large")
        return text

    async def _take(self, text: str) -> None:
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
        parts, session = self._parts, self._session
        if kind == "offer":
            offer = OFFER.validate_python(body)
            await offered(parts, session, self._person, offer, self._visitor.address, self._is)
        elif kind == "bye":
            bye = BYE.validate_python(body)
            if self._owner or parts.seating.whose(session.id, bye.peer) == self._person.id:
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
            for name in self._names:
                await came(parts, session.id, self._person, name)
            if kind == "ping":
                self._put({"type": "pong"})
        else:
            self._refuse(None, body, "invalid", "unknown type")

    async def _sits(self, seat: SeatAct) -> None:
        """Who leaves is held no more: no later sign of life of this page seats it again. Raises TransomError."""
        parts, session = self._parts, self._session.id
        if seat.do != "leave":
            await self._is(seat.peer)
        elif parts.seating.whose(session, seat.peer) not in (None, self._person.id):
            raise Conflict("this peer's name is another viewer's", code="peer_taken")
        await act(parts, session, self._person, seat)
        if seat.do == "leave" and seat.peer in self._names:
            self._names.remove(seat.peer)
            await parts.seating.let_go(session, seat.peer, self._person)

    async def _is(self, peer: str) -> None:
        """This page is that peer: its seat is held while the socket is open. Raises Conflict, TooMany."""
        if peer in self._names:
            return
        if len(self._names) >= NAMES_LIMIT:
            raise TooMany("one page is not so many viewers", retry_after=5)
        await self._parts.seating.hold(self._session.id, peer, self._person)
        self._names.append(peer)
        self._seated(self._parts.seating.seats(self._session.id))

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


def _why(refusal: Refusal) -> dict[str, str]:
    return {"code": refusal.code, "message": refusal.message}
