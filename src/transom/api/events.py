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

from transom.api import refusals, sockets
from transom.api.exit_views import own_view
from transom.api.parts import Parts, parts_of
from transom.api.seats import listing
from transom.api.sockets import Closing, Visitor
from transom.api.viewer_page import ViewerPage
from transom.api.views import guest_session
from transom.egress.service import OwnExit
from transom.model.seat import Kind, Seat
from transom.model.session import Session
from transom.model.works import first_over
from transom.stream.peers import Refusal
from transom_wire.rate import Bucket

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
BURST, BURST_S = 120, 10.0
"""Messages a page may send at once, and in that many seconds from then on."""
places = sockets.Places(limit=16)
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
        self._seats: tuple[Seat, ...] | None = None
        session = changes.newest or visitor.session
        self._page = ViewerPage(parts, session, visitor.person, visitor.address, self._put, self._seated)
        self._shown: Session | None = session
        changes.tell = self._changed
        self._outbox: deque[dict[str, Any]] = deque()
        self._wake = asyncio.Event()
        self._wake.set()
        self._full = False
        self._heard_at = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Send, receive and ping until one of them ends. Raises Closing, WebSocketDisconnect."""
        session, parts = self._page.session.id, self._parts
        with ExitStack() as listening:
            listening.enter_context(parts.ledger.watch(session, self._changed))
            listening.enter_context(parts.broker.listen(session, self._said))
            listening.enter_context(parts.seating.listen(session, self._seated))
            if self._owner:
                self._leaves(listening.enter_context(parts.egress.listen(self._person.id, self._leaves)))
            self._shown = await parts.ledger.get(session)
            self._seated(parts.seating.seats(session))
            works = (self._send, self._receive, self._ping, self._visitor.stays)
            try:
                async with first_over(*(work() for work in works)) as done:
                    for task in done:
                        task.result()
            finally:
                await self._page.leave()

    def _changed(self, session: Session) -> None:
        self._shown = session
        self._wake.set()

    def _leaves(self, way_out: OwnExit) -> None:
        self._put({"type": "exit", "exit": own_view(way_out)})

    def _seated(self, seats: tuple[Seat, ...]) -> None:
        self._seats = seats
        self._wake.set()

    def _said(self, peer: str, epoch: int, outcome: str | Refusal) -> None:
        if not self._owner and peer not in self._page.names:
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
                await self._say({"type": "seats", "viewers": listing(seats), "you": self._page.newest})
            while self._outbox:
                await self._say(self._outbox.popleft())
            if shown is not None and shown.state.over:
                raise Closing(sockets.OVER, shown.wanted_end or "over")
            if shown is not None:
                self._page.session = shown

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
        few = Bucket(BURST / BURST_S, BURST, loop.time())
        while True:
            text = await self._next()
            self._heard_at = loop.time()
            if not few.take(1, self._heard_at):
                self._parts.metrics.signalling("message_limited")
                raise Closing(sockets.TOO_MANY, "too many messages")
            await self._page.take(text)

    async def _next(self) -> str:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text: str = message.get("text") or ""
        if len(text) > MESSAGE_LIMIT or len(message.get("bytes") or b"") > MESSAGE_LIMIT:
            refusals.count(self._parts, "message", "too_large")
            raise Closing(sockets.TOO_LARGE, "the message is too large")
        return text


def _why(refusal: Refusal) -> dict[str, str]:
    return {"code": refusal.code, "message": refusal.message}
