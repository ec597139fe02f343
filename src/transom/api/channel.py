"""`/api/sessions/{id}/channel`: what data channels carry of keys and clipboards, for pages on noVNC."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial

import structlog
from fastapi import APIRouter, WebSocket

from transom.api import sockets, streams
from transom.api.events import Admit
from transom.api.parts import Parts
from transom.api.sockets import Visitor
from transom.model.seat import Seat
from transom.model.session import Session
from transom.model.works import first_over
from transom.stream.channel_road import carry
from transom_wire.channel import CHUNK, TEXT_LIMIT, ChannelViewer, framed, framed_text
from transom_wire.framing import FrameError

router = APIRouter()
COUNT_S = 1.0
"""Between two lines of a recording's timeline."""
log = structlog.get_logger(__name__)
places = sockets.Places(limit=8)


@router.websocket("/api/sessions/{session}/channel")
async def channel(socket: WebSocket, session: str) -> None:
    """Carry a viewer's keys and clipboard, by the terms of its seat, until it or the session ends."""
    await serve(socket, session, partial(sockets.admit, living=True), places)


async def serve(socket: WebSocket, session: str, admit: Admit, places: sockets.Places) -> None:
    """Serve whoever `admit` lets in."""
    await socket.accept()
    await streams.serve(socket, session, admit, places, _join)


async def _join(socket: WebSocket, parts: Parts, visitor: Visitor, peer: str) -> None:
    """Raises Closing."""
    session, seating = visitor.session.id, parts.seating
    ended, over = asyncio.Event(), [visitor.session]

    def changed(session: Session) -> None:
        over[0] = session
        if session.wanted_end is not None or session.state.over:
            ended.set()

    reader, writer = await streams.open_stream(parts, visitor, "channel")
    told = [seating.terms(session, peer)]
    writer.write(framed(ChannelViewer(peer, told[0])))

    def seated(_: tuple[Seat, ...]) -> None:
        terms = seating.terms(session, peer)
        if terms != told[0]:
            told[0] = terms
            inlet.hold_to(drives=terms.drives)
            writer.write(framed(ChannelViewer(peer, terms)))

    touches = streams.Touches(parts, session)
    inlet = streams.Inlet(parts, session, peer, drives=told[0].drives)

    def active() -> None:
        """Who only watches keeps no session from idling out."""
        if told[0].drives:
            touches.active()

    with parts.ledger.watch(session, changed), seating.listen(session, seated):
        talker = Talker(socket, peer, inlet, lambda: parts.quality_metrics.dropped("clipboard", 1))
        joined = asyncio.create_task(carry(talker, reader, writer, active))
        stays = asyncio.ensure_future(visitor.stays())
        works = (ended.wait(), streams.stay(parts, visitor, peer), _count(parts, session, talker))
        async with first_over(joined, stays, *works):
            if over[0].wanted_end is None and stays.done():
                await stays
            if joined.done() and isinstance(joined.exception(), FrameError):
                parts.metrics.misbehaved("channel")
                log.warning("a machine's channel is cut", session=session, reason=str(joined.exception()))
            raise streams.goodbye(joined, over[0])


async def _count(parts: Parts, session: str, talker: Talker) -> None:
    """Tell a recording each second how much was typed, and never what."""
    while True:
        await asyncio.sleep(COUNT_S)
        keys, talker.keys = talker.keys, 0
        if keys and parts.seating.drives(session, talker.peer):
            parts.recordings.felt(session, keys=keys, buttons=0, wheel=0)


REFUSED = re.compile(r'\["no", ?\d{1,16}, ?"(?:size|policy|empty|broken)"\]')
"""A guest's word that it did not take a clipboard which should not have been sent."""


class Talker:
    """The WebSocket as `stream.channel_road` wants it."""

    def __init__(
        self, socket: WebSocket, peer: str, inlet: streams.Inlet, refused: Callable[[], None]
    ) -> None:
        """`refused` hears of each clipboard that the guest says it did not take."""
        self._socket, self.peer, self._inlet, self._refused = socket, peer, inlet, refused
        self.keys = 0
        """Keys pressed and texts typed since this was taken away last."""

    async def receive(self) -> bytes | None:
        """The next message that is not empty, framed; None when the viewer is gone. Raises Closing."""
        while (message := await sockets.receive(self._socket)) is not None:
            if isinstance(message, bytes):
                await self._inlet.take(len(message), CHUNK)
                frame = framed(message)
            else:
                text = message.encode()
                await self._inlet.take(len(text), TEXT_LIMIT)
                frame = framed_text(text)
                self.keys += _typed(message)
            if message:
                return frame
        return None

    async def send(self, message: str | bytes) -> None:
        """Send a message; returns when there is room for more."""
        if isinstance(message, str) and REFUSED.fullmatch(message):
            self._refused()
        await sockets.send(self._socket, message)


def _typed(message: str) -> bool:
    """Whether it is a text, or a key that goes down."""
    return message.startswith('["t"') or (message.startswith('["k"') and message.endswith(",1]"))
