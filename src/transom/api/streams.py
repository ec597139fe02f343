"""What the sockets of the noVNC rung share: a viewer's seat while one is open, and a stream into its machine."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import structlog
from fastapi import WebSocket

from transom.api import sockets
from transom.api.events import Admit
from transom.api.parts import Parts, parts_of
from transom.api.seats import came
from transom.api.sockets import Closing, Visitor
from transom.model.errors import Conflict, TransomError
from transom.model.session import Session
from transom.stream.fallback import Ended
from transom.stream.intake import Intake

log = structlog.get_logger(__name__)
OPEN_S = 10.0
"""Seconds for the machine to open a stream."""
LOOK_S = 8.0
"""Seconds of a look in all: shorter than SEEN_S, as it is no viewer's sign of life."""
TOUCH_S = 30.0
"""Input by this road keeps a session from idling out, written no more often than this."""
SEEN_S = 10.0
"""How often an open stream says that its viewer is there."""
PEER = re.compile(r"[A-Za-z0-9_-]{1,64}")
Join = Callable[[WebSocket, Parts, Visitor, str], Awaitable[None]]
"""Serves a viewer until its stream ends. Raises Closing."""


async def serve(
    socket: WebSocket, session: str, admit: Admit, places: sockets.Places, join: Join, *, look: bool = False
) -> None:
    """Serve whoever `admit` lets in to an accepted socket, and close it with a code; for a `look` shortly, and
    without a seat."""
    try:
        visitor = await admit(socket, session)
        with places.take(visitor.session.id, visitor.person.link):
            await (_look if look else _sit)(socket, parts_of(socket), visitor, join)
    except Closing as closing:
        await sockets.close(socket, closing)
    except Exception:
        log.exception("a stream's socket broke", session=session)
        await sockets.close(socket, Closing(sockets.OURS, "a fault of the server; its log says more"))


async def _sit(socket: WebSocket, parts: Parts, visitor: Visitor, join: Join) -> None:
    """Hold the viewer's seat meanwhile. Raises Closing."""
    session, person = visitor.session.id, visitor.person
    peer = _peer(socket)
    with _refused():
        parts.limits.arrivals.stream(session, peer, person, visitor.address)
        await parts.seating.hold(session, peer, person)
    try:
        await join(socket, parts, visitor, peer)
    finally:
        await parts.seating.let_go(session, peer, person)


async def _look(socket: WebSocket, parts: Parts, visitor: Visitor, join: Join) -> None:
    """Let a viewer see that there is a display: it is nobody's seat, and so a watcher's. Raises Closing."""
    peer = f"look-{secrets.token_hex(8)}"
    with _refused():
        parts.limits.arrivals.stream(visitor.session.id, peer, visitor.person, visitor.address)
    try:
        async with asyncio.timeout(LOOK_S):
            await join(socket, parts, visitor, peer)
    except TimeoutError as error:
        raise Closing(sockets.SILENT, "a look is over after some seconds") from error


@contextmanager
def _refused() -> Iterator[None]:
    """What does not let a viewer in ends its socket. Raises Closing."""
    try:
        yield
    except Conflict as error:
        raise Closing(sockets.NAME_TAKEN, error.message) from error
    except TransomError as error:
        patience = f": {error.retry_after} s" if error.retry_after else ""
        raise Closing(sockets.TOO_MANY, error.message + patience) from error


def _peer(socket: WebSocket) -> str:
    """The viewer this stream belongs to, as its page names it, or one of its own."""
    said = socket.query_params.get("peer", "")
    return said if PEER.fullmatch(said) else f"vnc-{secrets.token_hex(8)}"


async def open_stream(
    parts: Parts, visitor: Visitor, kind: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream into the visitor's machine. Raises Closing."""
    try:
        async with asyncio.timeout(OPEN_S):
            return await parts.driver.open_stream(visitor.session.machine, kind)
    except (TransomError, TimeoutError, OSError) as error:
        raise Closing(sockets.NO_DISPLAY, "the machine's display cannot be reached") from error


async def stay(parts: Parts, visitor: Visitor, peer: str) -> None:
    """An open stream is a sign of life."""
    while True:
        await asyncio.sleep(SEEN_S)
        with suppress(TransomError):
            await came(parts, visitor.session.id, visitor.person, peer)


def goodbye(joined: asyncio.Task[Ended], session: Session) -> Closing:
    """How a stream that is over ends its socket."""
    if session.wanted_end is not None:
        return Closing(sockets.OVER, session.wanted_end)
    broken = joined.exception() if joined.done() else None
    if isinstance(broken, Closing):
        return broken
    if not joined.done() or broken is not None:
        return Closing(sockets.NO_DISPLAY, "the stream broke")
    match joined.result():
        case Ended.STALLED:
            return Closing(sockets.SILENT, "a side took nothing for too long")
        case Ended.MACHINE:
            return Closing(sockets.NO_DISPLAY, "the machine's display went away")
        case Ended.VIEWER:
            return Closing(1000, "goodbye")


class Inlet:
    """What one viewer sends by a socket, taken no faster than it may be."""

    def __init__(self, parts: Parts, session: str, peer: str, *, drives: bool) -> None:
        self._parts, self._session, self._peer = parts, session, peer
        self._intake = Intake(drives=drives, late=parts.quality_metrics.late)

    def hold_to(self, *, drives: bool) -> None:
        """The desktop was given, or taken."""
        self._intake.hold_to(drives=drives)

    async def take(self, size: int, limit: int) -> None:
        """Wait until there is room for a message of so many bytes. Raises Closing for one who floods, and at once for
        more than `limit`: at a watcher's pace there would be room for a megabyte in a minute."""
        if size > limit:
            raise Closing(sockets.TOO_LARGE, "the message is too large")
        wait = self._intake.take(size)
        if wait is None:
            self._parts.metrics.signalling("flooded")
            self._parts.limits.arrivals.flooded(self._session, self._peer)
            raise Closing(sockets.TOO_MANY, "too many messages")
        if wait > 0:
            await asyncio.sleep(wait)


class Touches:
    """Keeps a session from idling out while its viewer does something."""

    def __init__(self, parts: Parts, session: str) -> None:
        self._parts, self._session = parts, session
        self._touched = asyncio.get_running_loop().time()
        self._touching: asyncio.Task[None] | None = None

    def active(self) -> None:
        """The viewer did something."""
        now = asyncio.get_running_loop().time()
        if now - self._touched >= TOUCH_S:
            self._touched = now
            self._touching = asyncio.create_task(self._touch())

    async def _touch(self) -> None:
        with suppress(TransomError):
            await self._parts.ledger.touch(self._session, self._parts.clock())
