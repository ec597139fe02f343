"""What WebSockets share: who may open them, what is said on them, and that each ends with a code and a reason."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from transom.api.access import address_of, origin_allowed, principal_of
from transom.api.parts import parts_of
from transom.api.seats import person_of
from transom.model.errors import Gone, NotFound, TransomError, Unavailable
from transom.model.seat import Person
from transom.model.session import Session
from transom.model.user import Principal

SIGN_IN = 4401
NOT_FOUND = 4404
SILENT = 4408
SEAT = 4409
OVER = 4410
LINK = 4411
NAME_TAKEN = 4412
TOO_LARGE = 4413
NOT_A_WATCHERS = 4400
TOO_MANY = 4429
NO_DISPLAY = 4503
TRY_AGAIN, OURS = 1013, 1011
"""Codes of RFC 6455's registry: "try again later", and "internal error"."""
RECHECK_S = 30.0
"""How soon a sign-out is noticed."""
GONE = (RuntimeError, OSError, WebSocketDisconnect)
"""What sending to a viewer raises who has gone already."""
REASON_LIMIT = 120
"""Bytes of a close reason; the protocol carries 123."""


class Closing(Exception):
    """Ends a WebSocket with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:REASON_LIMIT].decode(errors="ignore")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who opened the socket, to what. `stays` runs while they may, and then raises Closing."""

    person: Person
    session: Session
    stays: Callable[[], Awaitable[None]]
    address: str = "unknown"
    """The key of where it comes from."""


async def admit(socket: WebSocket, session: str, *, living: bool = False) -> Visitor:
    """Which session this is about, for its owner alone. Raises Closing."""
    if not origin_allowed(socket):
        raise Closing(SIGN_IN, "the Origin of this request is not this server")
    try:
        principal = await principal_of(socket)
        if principal is None:
            raise Closing(SIGN_IN, "sign in first")
        sessions = parts_of(socket).sessions
        found = await (sessions.living if living else sessions.own)(session, principal)
    except NotFound as error:
        raise Closing(NOT_FOUND, error.message) from error
    except Gone as error:
        raise Closing(OVER, error.reason or "over") from error
    except (Unavailable, TransomError) as error:
        raise Closing(TRY_AGAIN, error.message) from error
    stays = partial(keep_signed_in, socket, principal)
    return Visitor(person_of(principal), found, stays, address_of(socket))


async def still_signed_in(socket: WebSocket, principal: Principal) -> None:
    """Raises Closing when what opened the socket signs `principal` in no more; a store that is away is no reason."""
    try:
        found = await principal_of(socket)
    except TransomError:
        return
    if found is None or found.user.id != principal.user.id:
        raise Closing(SIGN_IN, "sign in again")


async def keep_signed_in(socket: WebSocket, principal: Principal) -> None:
    """Look again and again. Raises Closing."""
    while True:
        await asyncio.sleep(RECHECK_S)
        await still_signed_in(socket, principal)


async def receive(socket: WebSocket) -> str | bytes | None:
    """The viewer's next message; None when it is gone."""
    try:
        message = await socket.receive()
    except RuntimeError:
        return None
    if message["type"] == "websocket.disconnect":
        return None
    data: bytes | None = message.get("bytes")
    text: str = message.get("text") or ""
    return text if data is None else data


async def send(socket: WebSocket, message: str | bytes) -> None:
    """Send; returns when there is room for more. Raises ConnectionResetError when the viewer is gone."""
    try:
        await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))
    except GONE as error:
        raise ConnectionResetError("the viewer is gone") from error


async def close(socket: WebSocket, closing: Closing) -> None:
    """Say goodbye with a code; a viewer that is gone already is nothing to worry about."""
    if socket.application_state is WebSocketState.CONNECTED:
        with suppress(*GONE):
            await socket.close(closing.code, closing.reason)


class Places:
    """How many sockets of a kind a session may have at once: `own` of each link's, which no other link's holder can
    take, and `limit` more that all share."""

    def __init__(self, limit: int, *, own: int = 0) -> None:
        self.limit, self.own = limit, own
        self._taken: dict[str, Counter[str | None]] = {}

    @contextmanager
    def take(self, session: str, link: str | None = None) -> Iterator[None]:
        """Hold a place while the block runs. Raises Closing when there is none."""
        taken = self._taken.setdefault(session, Counter())
        shared = sum(max(0, each - self.own) for each in taken.values())
        if taken[link] >= self.own and shared >= self.limit:
            raise Closing(TOO_MANY, "too many connections to this session")
        taken[link] += 1
        try:
            yield
        finally:
            taken[link] -= 1
            if not taken.total():
                del self._taken[session]
