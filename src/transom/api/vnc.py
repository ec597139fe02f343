"""`/api/sessions/{id}/vnc`: the machine's display as RFB in binary frames, for noVNC."""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import suppress
from functools import partial

import structlog
from fastapi import APIRouter, WebSocket

from transom.api import sockets
from transom.api.events import Admit
from transom.api.parts import Parts, parts_of
from transom.api.seats import came
from transom.api.sockets import Closing, Visitor
from transom.model.errors import TransomError
from transom.model.seat import Seat
from transom.model.session import Session
from transom.stream.fallback import Ended, pipe
from transom_wire.rfb import RfbError, Watching

router = APIRouter()
log = structlog.get_logger(__name__)
SUBPROTOCOL = "binary"
OPEN_S = 10.0
"""Seconds for the machine to open its display's stream."""
TOUCH_S = 30.0
"""Input by this road keeps a session from idling out, written no more often than this."""
SEEN_S = 10.0
"""How often an open stream says that its viewer is there."""
WATCHER_LIMIT = 64 * 1024
"""Bytes of one message of a watcher's: it only asks."""
PEER = re.compile(r"[A-Za-z0-9_-]{1,64}")
places = sockets.Places(limit=8)


@router.websocket("/api/sessions/{session}/vnc")
async def vnc(socket: WebSocket, session: str) -> None:
    """Join viewer and display until one of them, or the session, ends."""
    await serve(socket, session, partial(sockets.admit, living=True), places)


async def serve(socket: WebSocket, session: str, admit: Admit, places: sockets.Places) -> None:
    """Serve whoever `admit` lets in."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
    try:
        visitor = await admit(socket, session)
        with places.take(visitor.session.id):
            await _sit(socket, parts_of(socket), visitor)
    except Closing as closing:
        await sockets.close(socket, closing)
    except Exception:
        log.exception("a display's socket broke", session=session)
        await sockets.close(socket, Closing(sockets.OURS, "a fault of the server; its log says more"))


async def _sit(socket: WebSocket, parts: Parts, visitor: Visitor) -> None:
    """Join while the viewer's seat is as it is: with the desktop given or taken, the stream ends. Raises Closing."""
    session, person = visitor.session.id, visitor.person
    peer = _peer(socket)
    try:
        await parts.seating.hold(session, peer, person)
    except TransomError as error:
        raise Closing(sockets.TOO_MANY, error.message) from error
    try:
        await _join(socket, parts, visitor, peer)
    finally:
        await parts.seating.let_go(session, peer, person)


def _peer(socket: WebSocket) -> str:
    """The viewer this stream belongs to, as its page names it, or one of its own."""
    said = socket.query_params.get("peer", "")
    return said if PEER.fullmatch(said) else f"vnc-{secrets.token_hex(8)}"


async def _join(socket: WebSocket, parts: Parts, visitor: Visitor, peer: str) -> None:
    """Raises Closing."""
    session, seating = visitor.session.id, parts.seating
    ended, moved = asyncio.Event(), asyncio.Event()
    over, drives = [visitor.session], seating.drives(session, peer)

    def changed(session: Session) -> None:
        over[0] = session
        if session.wanted_end is not None or session.state.over:
            ended.set()

    def seated(seats: tuple[Seat, ...]) -> None:
        if drives is not any(seat.peer == peer and seat.drives for seat in seats):
            moved.set()

    viewer = Viewer(socket, parts, session, drives=drives)
    with parts.ledger.watch(session, changed), seating.listen(session, seated):
        reader, writer = await _display(parts, visitor, "vnc" if drives else "view")
        joined = asyncio.create_task(pipe(viewer, reader, writer, viewer.active))
        stays = asyncio.ensure_future(visitor.stays())
        works = (ended.wait(), moved.wait(), _stay(parts, visitor, peer))
        tasks = (joined, stays, *(asyncio.ensure_future(work) for work in works))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if over[0].wanted_end is None and stays.done():
                await stays
            if over[0].wanted_end is None and moved.is_set():
                raise Closing(sockets.SEAT, "you watch now" if drives else "you drive now")
            raise _goodbye(joined, over[0])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if viewer.dropped:
                parts.metrics.signalling("watcher_input")
                log.info("a watcher sent input", session=session, messages=viewer.dropped)


async def _display(
    parts: Parts, visitor: Visitor, kind: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(OPEN_S):
            return await parts.driver.open_stream(visitor.session.machine, kind)
    except (TransomError, TimeoutError, OSError) as error:
        raise Closing(sockets.NO_DISPLAY, "the machine's display cannot be reached") from error


async def _stay(parts: Parts, visitor: Visitor, peer: str) -> None:
    """An open stream is a sign of life."""
    while True:
        await asyncio.sleep(SEEN_S)
        with suppress(TransomError):
            await came(parts, visitor.session.id, visitor.person, peer)


def _goodbye(joined: asyncio.Task[Ended], session: Session) -> Closing:
    if session.wanted_end is not None:
        return Closing(sockets.OVER, session.wanted_end)
    broken = joined.exception() if joined.done() else None
    if isinstance(broken, Closing):
        return broken
    if not joined.done() or broken is not None:
        return Closing(sockets.NO_DISPLAY, "the stream broke")
    match joined.result():
        case Ended.TOO_LARGE:
            return Closing(sockets.TOO_LARGE, "the message is too large")
        case Ended.STALLED:
            return Closing(sockets.SILENT, "a side took nothing for too long")
        case Ended.MACHINE:
            return Closing(sockets.NO_DISPLAY, "the machine's display went away")
        case Ended.VIEWER:
            return Closing(1000, "goodbye")


class Viewer:
    """The WebSocket as `stream.fallback` wants it; of a watcher it hands on questions for pictures only."""

    def __init__(self, socket: WebSocket, parts: Parts, session: str, *, drives: bool) -> None:
        self._socket, self._parts, self._session = socket, parts, session
        self._watching = None if drives else Watching()
        self._touched = asyncio.get_running_loop().time()
        self._touching: asyncio.Task[None] | None = None

    async def receive(self) -> bytes | None:
        """The next binary message; None when the viewer is gone. Raises Closing for what no watcher says."""
        try:
            message = await self._socket.receive()
        except RuntimeError:
            return None
        if message["type"] == "websocket.disconnect":
            return None
        data: bytes | None = message.get("bytes")
        data = data if data is not None else (message.get("text") or "").encode()
        if self._watching is None:
            return data
        if len(data) > WATCHER_LIMIT:
            raise Closing(sockets.TOO_LARGE, "the message is too large")
        try:
            return self._watching.feed(data)
        except RfbError as error:
            raise Closing(sockets.NOT_A_WATCHERS, f"a watcher does not say that: {error}") from error

    @property
    def dropped(self) -> int:
        """Messages of input that a watcher sent."""
        return self._watching.dropped if self._watching else 0

    async def send(self, data: bytes) -> None:
        """Send a binary message; returns when there is room for more."""
        try:
            await self._socket.send_bytes(data)
        except sockets.GONE as error:
            raise ConnectionResetError("the viewer is gone") from error

    def active(self) -> None:
        """The viewer did something; who only watches does nothing."""
        if self._watching is not None:
            return
        now = asyncio.get_running_loop().time()
        if now - self._touched >= TOUCH_S:
            self._touched = now
            self._touching = asyncio.create_task(self._touch())

    async def _touch(self) -> None:
        try:
            await self._parts.ledger.touch(self._session, self._parts.clock())
        except TransomError:
            return
