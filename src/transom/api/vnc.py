"""`/api/sessions/{id}/vnc`: the machine's display as RFB in binary frames, for noVNC."""

from __future__ import annotations

import asyncio

import structlog
from fastapi import APIRouter, WebSocket

from transom.api import sockets
from transom.api.parts import Parts, parts_of
from transom.api.sockets import Closing, Visitor
from transom.model.errors import TransomError
from transom.model.session import Session
from transom.stream.fallback import Ended, pipe

router = APIRouter()
log = structlog.get_logger(__name__)
SUBPROTOCOL = "binary"
OPEN_S = 10.0
"""Seconds for the machine to open its display's stream."""
TOUCH_S = 30.0
"""Input by this road keeps a session from idling out, written no more often than this."""
places = sockets.Places(limit=8)


@router.websocket("/api/sessions/{session}/vnc")
async def vnc(socket: WebSocket, session: str) -> None:
    """Join viewer and display until one of them, or the session, ends."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
    try:
        visitor = await sockets.admit(socket, session, living=True)
        with places.take(visitor.session.id):
            await _join(socket, parts_of(socket), visitor)
    except Closing as closing:
        await sockets.close(socket, closing)
    except Exception:
        log.exception("a display's socket broke", session=session)
        await sockets.close(socket, Closing(sockets.OURS, "a fault of the server; its log says more"))


async def _join(socket: WebSocket, parts: Parts, visitor: Visitor) -> None:
    """Raises Closing."""
    try:
        async with asyncio.timeout(OPEN_S):
            reader, writer = await parts.driver.open_stream(visitor.session.machine, "vnc")
    except (TransomError, TimeoutError, OSError) as error:
        raise Closing(sockets.NO_DISPLAY, "the machine's display cannot be reached") from error
    ended = asyncio.Event()
    over = [visitor.session]

    def changed(session: Session) -> None:
        over[0] = session
        if session.wanted_end is not None or session.state.over:
            ended.set()

    viewer = Viewer(socket, parts, visitor.session.id)
    with parts.ledger.watch(visitor.session.id, changed):
        joined = asyncio.create_task(pipe(viewer, reader, writer, viewer.active))
        watched = asyncio.create_task(ended.wait())
        signed_in = asyncio.create_task(sockets.keep_signed_in(socket, visitor.principal))
        tasks = (joined, watched, signed_in)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if signed_in.done() and not joined.done() and not watched.done():
                await signed_in
            raise _goodbye(joined, over[0])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _goodbye(joined: asyncio.Task[Ended], session: Session) -> Closing:
    if session.wanted_end is not None:
        return Closing(sockets.OVER, session.wanted_end)
    if not joined.done() or joined.exception() is not None:
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
    """The WebSocket as `stream.fallback` wants it."""

    def __init__(self, socket: WebSocket, parts: Parts, session: str) -> None:
        self._socket, self._parts, self._session = socket, parts, session
        self._touched = asyncio.get_running_loop().time()
        self._touching: asyncio.Task[None] | None = None

    async def receive(self) -> bytes | None:
        """The next binary message; None when the viewer is gone."""
        try:
            message = await self._socket.receive()
        except RuntimeError:
            return None
        if message["type"] == "websocket.disconnect":
            return None
        data: bytes | None = message.get("bytes")
        return data if data is not None else (message.get("text") or "").encode()

    async def send(self, data: bytes) -> None:
        """Send a binary message; returns when there is room for more."""
        try:
            await self._socket.send_bytes(data)
        except sockets.GONE as error:
            raise ConnectionResetError("the viewer is gone") from error

    def active(self) -> None:
        """The viewer did something."""
        now = asyncio.get_running_loop().time()
        if now - self._touched >= TOUCH_S:
            self._touched = now
            self._touching = asyncio.create_task(self._touch())

    async def _touch(self) -> None:
        try:
            await self._parts.ledger.touch(self._session, self._parts.clock())
        except TransomError:
            return
