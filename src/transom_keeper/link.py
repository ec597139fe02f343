"""The link: every connection the guest dials, checked, held to its role and its rate.

The guest is hostile. Whoever cannot say Hello with the right token is garbage and closed without a word;
whoever can, and then breaks its role's rules, is closed and reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

from transom_keeper.frames import PROTOCOL_ERRORS, Framed, Slow
from transom_keeper.outbox import OutboxFull
from transom_keeper.splice import Stream
from transom_wire import WIRE_VERSION
from transom_wire.codec import decode, encode
from transom_wire.framing import MAX_FRAME, FrameError
from transom_wire.link import FROM_GUEST, GuestMessage, Hello, OpenStream, Park, Ping, Welcome
from transom_wire.rate import Bucket

logger = logging.getLogger("keeper.link")

MOST_BODY = MAX_FRAME * 3 // 4 - 1024
"""Bytes of one guest message: what FromGuest can carry on."""


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """What one guest may do on its link. Seconds, messages a second, bytes a second, connections."""

    hello_seconds: float = 10.0
    """A guest under emulation, on a busy host, needs seconds between two system calls."""
    stream_seconds: float = 5.0
    ping_seconds: float = 10.0
    silence_seconds: float = 30.0
    messages: float = 10.0
    messages_burst: float = 400.0
    bytes: float = 512 * 1024
    bytes_burst: float = 2 * 2**20
    connects: float = 10.0
    connects_burst: float = 60.0
    reports: float = 1.0
    reports_burst: float = 20.0
    connections: int = 48
    streams: int = 16
    unsent: int = 2 * 2**20
    part_seconds: float = 30.0
    """A guest that emulation makes slow, or whose disk is, may need a part of it to hear."""


class LinkSink(Protocol):
    """Whoever takes in what the guest says."""

    def received(self, role: str, message: GuestMessage, body: bytes) -> None:
        """A message its role may send. Raises OutboxFull."""

    def role_changed(self, role: str, connected: bool) -> None:
        """A role connected or went away."""

    def misbehaved(self, role: str, reason: str) -> None:
        """A connection was closed for breaking the rules."""


class Refusal(Exception):
    """A rule was broken; says which, for the report."""


@dataclass(slots=True)
class LinkRelay:
    """The keeper's end of every link connection of one machine."""

    listener: socket.socket
    welcome: Welcome
    """What boot is told; its link token is filled in here."""
    boot_token: str
    sink: LinkSink
    limits: LinkLimits = field(default_factory=LinkLimits)
    clock: Callable[[], float] = time.monotonic
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("connections", "garbage", "messages", "undelivered", "reports"), 0
        )
    )
    _link_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    _boot_used: bool = False
    _roles: dict[str, Framed] = field(default_factory=dict)
    _waiting: dict[str, asyncio.Future[Stream]] = field(default_factory=dict)
    _open: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _connects: Bucket = field(init=False)
    _reports: Bucket = field(init=False)

    def __post_init__(self) -> None:
        now = self.clock()
        self._connects = Bucket(self.limits.connects, self.limits.connects_burst, now)
        self._reports = Bucket(self.limits.reports, self.limits.reports_burst, now)

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles connected now."""
        return tuple(sorted(self._roles))

    async def start(self) -> None:
        """Begin to accept."""
        self._server = await asyncio.start_server(self._accepted, sock=self.listener)

    async def close(self) -> None:
        """Close every connection and the listener."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def part(self) -> None:
        """Answer nobody new, ask the guest to let go of the link, wait until it has. Raises TimeoutError."""
        if self._server is not None:
            self._server.close()
        self.send("boot", encode(Park()))
        async with asyncio.timeout(self.limits.part_seconds):
            while self._open:
                await asyncio.wait(set(self._open))

    def send(self, role: str, body: bytes) -> bool:
        """Queue an encoded message for `role`; False, and counted, when it is not connected."""
        framed = self._roles.get(role)
        if framed is None:
            self.counts["undelivered"] += 1
            return False
        try:
            framed.send_body(body)
        except Slow:
            self._report(role, "does not read what it is sent")
            framed.close()
            return False
        except FrameError:
            self.counts["undelivered"] += 1
            return False
        return True

    async def open_stream(self, kind: str) -> Stream | None:
        """A raw stream to the guest's `kind`, or None when the guest does not dial it in time."""
        if len(self._waiting) >= self.limits.streams:
            return None
        name = secrets.token_urlsafe(12)
        waiting: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
        self._waiting[name] = waiting
        try:
            if not self.send("boot", encode(OpenStream(stream=name, kind=kind))):
                return None
            async with asyncio.timeout(self.limits.stream_seconds):
                return await waiting
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(name, None)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        crowded = len(self._open) >= self.limits.connections
        if crowded or not self._connects.take(1, self.clock()):
            self.counts["garbage"] += 1
            writer.transport.abort()
            return
        self.counts["connections"] += 1
        framed = Framed(reader, writer, limit=MOST_BODY, unsent=self.limits.unsent)
        task = asyncio.get_running_loop().create_task(self._serve(framed))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, framed: Framed) -> None:
        handed_over = False
        try:
            hello = await framed.first((Hello,), self.limits.hello_seconds)
            self._check(hello)
            if hello.role == "stream":
                handed_over = self._join(hello, framed)
            else:
                await self._serve_role(hello.role, framed)
        except PROTOCOL_ERRORS:
            self.counts["garbage"] += 1
        except Refusal as refusal:
            self.counts["garbage"] += 1
            logger.warning("a link connection was refused: %s", refusal)
        finally:
            if not handed_over:
                framed.close()

    def _check(self, hello: Hello) -> None:
        """Raises Refusal. The boot token works once; a boot that dials again shows the link token."""
        if hello.version != WIRE_VERSION:
            raise Refusal(f"it speaks version {hello.version}, this keeper {WIRE_VERSION}")
        if hello.role == "boot" and not self._boot_used and _same(hello.token, self.boot_token):
            self._boot_used = True
        elif not (self._boot_used and _same(hello.token, self._link_token)):
            raise Refusal("its token is not the right one")

    def _join(self, hello: Hello, framed: Framed) -> bool:
        waiting = self._waiting.pop(hello.stream or "", None)
        if waiting is None or waiting.done():
            raise Refusal("nobody waits for its stream")
        framed.send(Welcome(version=WIRE_VERSION))
        waiting.set_result((framed.reader, framed.writer))
        return True

    async def _serve_role(self, role: str, framed: Framed) -> None:
        older = self._roles.pop(role, None)
        if older is not None:
            older.close()
        self._roles[role] = framed
        framed.send(self._welcome(role))
        self.sink.role_changed(role, True)
        pings = asyncio.get_running_loop().create_task(self._ping(framed))
        try:
            await self._read(role, framed)
        except (Refusal, *PROTOCOL_ERRORS) as error:
            self._report(role, str(error) or type(error).__name__)
        finally:
            pings.cancel()
            if self._roles.get(role) is framed:
                del self._roles[role]
                self.sink.role_changed(role, False)

    def _welcome(self, role: str) -> Welcome:
        if role != "boot":
            return Welcome(version=WIRE_VERSION)
        told = self.welcome
        return Welcome(
            version=WIRE_VERSION,
            link_token=self._link_token,
            session=told.session,
            width=told.width,
            height=told.height,
            start_url=told.start_url,
            forwarder_port=told.forwarder_port,
            warm=told.warm,
            program=told.program,
            signin_pages=told.signin_pages,
        )

    async def _read(self, role: str, framed: Framed) -> None:
        now = self.clock()
        messages = Bucket(self.limits.messages, self.limits.messages_burst, now)
        size = Bucket(self.limits.bytes, self.limits.bytes_burst, now)
        async for body in framed.bodies(self.limits.silence_seconds):
            now = self.clock()
            if not messages.take(1, now) or not size.take(len(body), now):
                raise Refusal("it floods the link")
            message = cast(GuestMessage, decode(body, FROM_GUEST[role]))
            self.counts["messages"] += 1
            if isinstance(message, Ping):
                continue
            try:
                self.sink.received(role, message, body)
            except OutboxFull as error:
                raise Refusal("too many sealed credentials wait for the controller") from error

    async def _ping(self, framed: Framed) -> None:
        body = encode(Ping())
        with contextlib.suppress(Slow):
            while not framed.writer.is_closing():
                await asyncio.sleep(self.limits.ping_seconds)
                framed.send_body(body)

    def _report(self, role: str, reason: str) -> None:
        self.counts["reports"] += 1
        if self._reports.take(1, self.clock()):
            logger.warning("the guest's %s misbehaved: %s", role, reason)
            self.sink.misbehaved(role, reason)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
