"""`/api/sessions/{id}/vnc`: the machine's display as RFB in binary frames, for noVNC."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog
from fastapi import APIRouter, WebSocket

from transom.api import sockets, streams
from transom.api.events import Admit
from transom.api.parts import Parts
from transom.api.sockets import Closing, Visitor
from transom.model.seat import Seat
from transom.model.session import Session
from transom.model.works import first_over
from transom.stream.fallback import pipe
from transom_wire.rfb import RfbError, Watching
from transom_wire.rfb_tally import Tally

router = APIRouter()
log = structlog.get_logger(__name__)
SUBPROTOCOL = "binary"
MESSAGE_LIMIT = 1024 * 1024
"""Bytes of one binary frame of who drives; a clipboard is the largest thing it sends."""
WATCHER_LIMIT = 64 * 1024
"""Bytes of one message of a watcher's: it only asks."""
COUNT_S = 1.0
"""Between two lines of a recording's timeline."""
places = sockets.Places(limit=8)


@router.websocket("/api/sessions/{session}/vnc")
async def vnc(socket: WebSocket, session: str) -> None:
    """Join viewer and display until one of them, or the session, ends."""
    await serve(socket, session, partial(sockets.admit, living=True), places)


async def serve(socket: WebSocket, session: str, admit: Admit, places: sockets.Places) -> None:
    """Serve whoever `admit` lets in; with `?look=1` one who only asks whether there is a display."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
    look = socket.query_params.get("look") == "1"
    await streams.serve(socket, session, admit, places, _join, look=look)


async def _join(socket: WebSocket, parts: Parts, visitor: Visitor, peer: str) -> None:
    """Join while the viewer's seat is as it is: with the desktop given or taken, the stream ends. Raises Closing."""
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

    inlet = streams.Inlet(parts, session, peer, drives=drives)
    viewer = Viewer(socket, inlet, streams.Touches(parts, session), drives=drives)
    with parts.ledger.watch(session, changed), seating.listen(session, seated):
        reader, writer = await streams.open_stream(parts, visitor, "vnc" if drives else "view")
        joined = asyncio.create_task(pipe(viewer, reader, writer, viewer.active))
        stays = asyncio.ensure_future(visitor.stays())
        told = streams.stay(parts, visitor, peer), _count(parts, session, viewer)
        try:
            async with first_over(joined, stays, ended.wait(), moved.wait(), *told):
                if over[0].wanted_end is None and stays.done():
                    await stays
                if over[0].wanted_end is None and moved.is_set():
                    raise Closing(sockets.SEAT, "you watch now" if drives else "you drive now")
                raise streams.goodbye(joined, over[0])
        finally:
            if viewer.dropped:
                parts.metrics.signalling("watcher_input")
                log.info("a watcher sent input", session=session, messages=viewer.dropped)


async def _count(parts: Parts, session: str, viewer: Viewer) -> None:
    """Tell a recording each second how much was typed and pressed, and never what."""
    while True:
        await asyncio.sleep(COUNT_S)
        if viewer.tally is not None and (done := viewer.tally.take()):
            parts.recordings.felt(session, keys=done.keys, buttons=done.buttons, wheel=done.wheel)


class Viewer:
    """The WebSocket as `stream.fallback` wants it; of a watcher it hands on questions for pictures only."""

    def __init__(
        self, socket: WebSocket, inlet: streams.Inlet, touches: streams.Touches, *, drives: bool
    ) -> None:
        self._socket, self._inlet, self._touches = socket, inlet, touches
        self._watching = None if drives else Watching()
        self.tally = Tally() if drives else None

    async def receive(self) -> bytes | None:
        """The next binary message; None when the viewer is gone. Raises Closing for what no watcher says."""
        message = await sockets.receive(self._socket)
        if message is None:
            return None
        data = message.encode() if isinstance(message, str) else message
        await self._inlet.take(len(data), MESSAGE_LIMIT if self._watching is None else WATCHER_LIMIT)
        if self.tally is not None:
            self.tally.read(data)
        if self._watching is None:
            return data
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
        await sockets.send(self._socket, data)

    def active(self) -> None:
        """The viewer did something; who only watches does nothing."""
        if self._watching is None:
            self._touches.active()
