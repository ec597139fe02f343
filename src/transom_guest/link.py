"""The guest's end of a link connection: dial, Hello, Welcome, then messages until the link is dead.

The guest dials the address in TRANSOM_LINK (a listener the keeper holds). `boot` shows its one-use
token; the other roles show the link token that boot left in TRANSOM_LINK_TOKEN_FILE.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from transom_wire import WIRE_VERSION
from transom_wire.codec import WireError, decode, encode
from transom_wire.framing import HEADER, MAX_FRAME, FrameError, pack
from transom_wire.link import FROM_GUEST, TO_GUEST, GuestMessage, Hello, Ping, ToGuestMessage, Welcome

DIAL_DEADLINE = 10.0
"""Seconds from dialling to Welcome."""
REDIAL_EVERY = 0.1
"""Seconds between dials of a parked machine, whose keeper may be another at any moment."""
REDIAL_CONNECT = 0.5
"""Seconds for the connection of such a dial: a keeper that went while it was made never answers."""
SEND_DEADLINE = 10.0
"""Seconds a message may wait for the keeper to read."""
PING_EVERY = 10.0
"""Seconds between our pings."""
SILENCE = 30.0
"""Seconds without a whole frame after which the link is dead."""
BACKOFF_FIRST, BACKOFF_LAST = 0.1, 5.0
"""Seconds between dials; doubles from the first to the last, and starts over after a link that lived."""
LIVED = 10.0
"""Seconds a link must live before a redial is prompt again."""

DEFAULT_TOKEN_FILE = "/run/transom/link-token"  # noqa: S105 - a path, not a token
log = logging.getLogger("transom.link")


class LinkError(ConnectionError):
    """The link cannot be made, or is over; the text says why and holds no token."""


def link_address(text: str) -> tuple[str, int]:
    """Read `host:port` as in TRANSOM_LINK. Raises LinkError."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise LinkError("TRANSOM_LINK is not host:port")
    return host, int(port)


def read_link_token() -> str:
    """The token boot left for the other roles. Raises LinkError while it is not there yet."""
    path = Path(os.environ.get("TRANSOM_LINK_TOKEN_FILE", DEFAULT_TOKEN_FILE))
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise LinkError("no link token yet") from error


def write_link_token(token: str) -> None:
    """Leave the link token for the other guest processes, readable by this user only. Raises OSError."""
    path = Path(os.environ.get("TRANSOM_LINK_TOKEN_FILE", DEFAULT_TOKEN_FILE))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)
    fresh.replace(path)


class Link:
    """One open link connection. Made by `dial`; pings by itself; `reason` says why it is over."""

    welcome: Welcome
    reader: asyncio.StreamReader
    """For role `stream`: raw bytes begin here."""
    writer: asyncio.StreamWriter

    def __init__(self, role: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.role = role
        self.reader, self.writer = reader, writer
        self.reason = ""
        self._sending = asyncio.Lock()
        self._pinger: asyncio.Task[None] | None = None

    @classmethod
    async def dial(
        cls, role: str, token: str, *, stream: str | None = None, connect: float = DIAL_DEADLINE
    ) -> Link:
        """Connect as `role`, in `connect` seconds, and wait for Welcome. Raises LinkError within DIAL_DEADLINE."""
        host, port = link_address(os.environ.get("TRANSOM_LINK", ""))
        try:
            async with asyncio.timeout(DIAL_DEADLINE):
                async with asyncio.timeout(connect):
                    reader, writer = await asyncio.open_connection(host, port)
                link = cls(role, reader, writer)
                try:
                    await link._greet(Hello(version=WIRE_VERSION, role=role, token=token, stream=stream))
                except BaseException:
                    writer.close()
                    raise
        except (OSError, EOFError, WireError, FrameError) as error:
            raise LinkError(f"cannot link as {role}: {_why(error)}") from error
        if role != "stream":
            link._pinger = asyncio.create_task(link._ping(), name=f"ping {role}")
        return link

    async def send(self, message: GuestMessage) -> None:
        """Send `message`, which this role must be allowed to say. Raises LinkError, WireError."""
        body = encode(message)
        decode(body, cast("Any", FROM_GUEST[self.role]))
        try:
            async with asyncio.timeout(SEND_DEADLINE), self._sending:
                if self.writer.is_closing():
                    raise LinkError(f"the link is closed {self.reason}".rstrip())
                self.writer.write(pack(body))
                await self.writer.drain()
        except OSError as error:
            self._drop(_why(error))
            raise LinkError(f"cannot send: {_why(error)}") from error

    async def messages(self) -> AsyncIterator[ToGuestMessage]:
        """What the controller says, pings left out. Ends when the link is over, for whatever reason."""
        allowed = cast("Any", TO_GUEST[self.role])
        while not self.writer.is_closing():
            try:
                async with asyncio.timeout(SILENCE):
                    message = decode(await self._frame(), allowed)
            except (OSError, EOFError, WireError, FrameError) as error:
                self._drop(_why(error))
                return
            if isinstance(message, Welcome):
                self._drop("a second Welcome")
                return
            if not isinstance(message, Ping):
                yield cast("ToGuestMessage", message)

    async def close(self) -> None:
        """Close the connection. Idempotent."""
        self._drop("closed here")
        with contextlib.suppress(OSError):
            async with asyncio.timeout(SEND_DEADLINE):
                await self.writer.wait_closed()

    async def _greet(self, hello: Hello) -> None:
        self.writer.write(pack(encode(hello)))
        await self.writer.drain()
        self.welcome = decode(await self._frame(), (Welcome,))
        if self.welcome.version != WIRE_VERSION:
            raise WireError(f"the keeper speaks version {self.welcome.version}, we speak {WIRE_VERSION}")

    async def _frame(self) -> bytes:
        (size,) = HEADER.unpack(await self.reader.readexactly(HEADER.size))
        if not 0 < size <= MAX_FRAME:
            raise FrameError(f"frame of {size} bytes announced")
        return await self.reader.readexactly(size)

    async def _ping(self) -> None:
        with contextlib.suppress(LinkError):
            while True:
                await asyncio.sleep(PING_EVERY)
                await self.send(Ping())

    def _drop(self, reason: str) -> None:
        self.reason = self.reason or reason
        if self._pinger is not None and self._pinger is not asyncio.current_task():
            self._pinger.cancel()
        # abort, not close: a keeper that does not read must not hold our buffers
        self.writer.transport.abort() if reason != "closed here" else self.writer.close()


async def redial(token: str) -> Link:
    """Dial as boot until a keeper answers, without a word to the log: none may come for hours."""
    while True:
        try:
            return await Link.dial("boot", token, connect=REDIAL_CONNECT)
        except LinkError:
            await asyncio.sleep(REDIAL_EVERY)


async def keep_linked(role: str, serve: Callable[[Link], Awaitable[None]]) -> None:
    """Hold a link as `role` for ever: dial, run `serve`, and dial again when it returns or fails."""
    pause = BACKOFF_FIRST
    loop = asyncio.get_running_loop()
    while True:
        lived = 0.0
        try:
            link = await Link.dial(role, read_link_token())
        except LinkError as error:
            log.warning("%s", error)
        else:
            began = loop.time()
            try:
                await serve(link)
            except Exception:
                log.exception("serving the %s link failed", role)
            finally:
                await link.close()
            lived = loop.time() - began
            log.warning("the %s link is over: %s", role, link.reason)
        pause = BACKOFF_FIRST if lived > LIVED else min(pause * 2, BACKOFF_LAST)
        await asyncio.sleep(pause)


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, EOFError):
        return "the keeper closed it"
    return str(error) or type(error).__name__
