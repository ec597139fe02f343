"""The keeper's unix socket: one controller, raw streams, a look at the state."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Protocol, cast

from transom_keeper.frames import PROTOCOL_ERRORS, ConnectionEnded, Framed, Slow
from transom_keeper.splice import Stream, splice
from transom_wire import WIRE_VERSION
from transom_wire.codec import Message, decode, encode
from transom_wire.control import (
    TO_KEEPER,
    Attach,
    Attached,
    ControllerMessage,
    FromGuest,
    KeepAlive,
    MachineExited,
    Refused,
    Snapshot,
)
from transom_wire.framing import MAX_FRAME

logger = logging.getLogger("keeper.control")

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class ControlLimits:
    """Seconds and counts for whoever connects."""

    attach_seconds: float = 5.0
    keep_alive_seconds: float = 10.0
    silence_seconds: float = 30.0
    flush_seconds: float = 2.0
    connections: int = 32
    unsent: int = 8 * 2**20
    """Bytes a controller may leave unread before it is let go; what it had not acknowledged is kept."""


class Machine(Protocol):
    """What the control socket needs of the machine."""

    def snapshot(self) -> Snapshot: ...

    def waiting(self) -> tuple[FromGuest, ...]:
        """Guest messages not yet acknowledged."""

    @property
    def exit_reason(self) -> str | None:
        """Why the machine ended; None while it runs."""

    def command(self, message: ControllerMessage) -> None:
        """Do what a controller asks. Raises ValueError when it cannot be done; the text goes to the log."""

    async def open_stream(self, kind: str) -> Stream | None: ...

    def exit_seen(self) -> None:
        """A controller was told that the machine has ended, and has read it."""


@dataclass(slots=True)
class ControlServer:
    """Serves the socket until closed."""

    listener: socket.socket
    machine: Machine
    allowed_uids: frozenset[int]
    limits: ControlLimits = field(default_factory=ControlLimits)
    _server: asyncio.Server | None = None
    _controller: Framed | None = None
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Begin to accept."""
        self._server = await asyncio.start_unix_server(self._accepted, sock=self.listener)

    async def close(self) -> None:
        """Send what is queued, then close everything."""
        if self._server is not None:
            self._server.close()
        if self._controller is not None:
            await self._controller.flush(self.limits.flush_seconds)
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    @property
    def attached(self) -> bool:
        """True while a controller listens."""
        return self._controller is not None

    def deliver(self, message: Message) -> None:
        """Tell the controller, if there is one."""
        if self._controller is None:
            return
        try:
            self._controller.send(message)
        except Slow:
            logger.warning("the controller does not read; its connection is closed")
            self._controller.close()
            self._controller = None

    async def tell_exit(self, reason: str) -> None:
        """Tell the controller, if there is one, that the machine has ended."""
        framed = self._controller
        if framed is not None:
            self.deliver(MachineExited(reason=reason))
            await self._exit_told(framed)

    async def _exit_told(self, framed: Framed) -> None:
        await framed.flush(self.limits.flush_seconds)
        if not framed.writer.transport.get_write_buffer_size():
            self.machine.exit_seen()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("socket")
        if len(self._open) >= self.limits.connections or peer_uid(peer) not in self.allowed_uids:
            logger.warning("a connection was refused: too many, or not ours")
            writer.transport.abort()
            return
        framed = Framed(reader, writer, limit=MAX_FRAME, unsent=self.limits.unsent)
        task = asyncio.get_running_loop().create_task(self._serve(framed))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, framed: Framed) -> None:
        try:
            attach = await framed.first((Attach,), self.limits.attach_seconds)
            if attach.version != WIRE_VERSION:
                await self._refuse(framed, f"this keeper speaks version {WIRE_VERSION}")
            elif attach.mode == "control":
                await self._control(framed)
            elif attach.mode == "stream":
                await self._stream(framed, attach.stream_kind)
            else:
                framed.send(self.machine.snapshot())
                await framed.flush(self.limits.flush_seconds)
        except ConnectionEnded:
            pass
        except PROTOCOL_ERRORS as error:
            logger.warning("a client was cut off: %s", error)
        finally:
            framed.close()

    async def _refuse(self, framed: Framed, reason: str) -> None:
        framed.send(Refused(reason=reason))
        await framed.flush(self.limits.flush_seconds)

    async def _control(self, framed: Framed) -> None:
        """Snapshot first, then what was missed, then what happens."""
        if self._controller is not None:
            self._controller.close()
        self._controller = framed
        logger.info("a controller attached")
        framed.send(self.machine.snapshot())
        for message in self.machine.waiting():
            framed.send(message)
        beat = asyncio.get_running_loop().create_task(self._beat(framed))
        try:
            if self.machine.exit_reason is not None:
                framed.send(MachineExited(reason=self.machine.exit_reason))
                await self._exit_told(framed)
            await self._obey(framed)
        finally:
            beat.cancel()
            if self._controller is framed:
                self._controller = None
                logger.info("the controller is gone")

    async def _obey(self, framed: Framed) -> None:
        async for body in framed.bodies(self.limits.silence_seconds):
            message = cast(ControllerMessage, decode(body, TO_KEEPER))
            if self._controller is not framed:
                return
            if isinstance(message, KeepAlive):
                continue
            try:
                self.machine.command(message)
            except ValueError as error:
                logger.warning("%s was not done: %s", message.TYPE, error)

    async def _beat(self, framed: Framed) -> None:
        with contextlib.suppress(Slow):
            while not framed.writer.is_closing():
                await asyncio.sleep(self.limits.keep_alive_seconds)
                framed.send_body(encode(KeepAlive()))

    async def _stream(self, framed: Framed, kind: str | None) -> None:
        inside = await self.machine.open_stream(kind) if kind else None
        if inside is None:
            await self._refuse(framed, f"the machine does not open {kind or 'a stream without a kind'}")
            return
        try:
            framed.send(Attached())
            await splice((framed.reader, framed.writer), inside)
        finally:
            inside[1].close()


def peer_uid(connection: socket.socket) -> int:
    """The user on the other end of a unix socket, as the kernel knows it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


def bind(path: str) -> socket.socket:
    """A listening unix socket at `path`, mode 0600; one left by the dead is replaced. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(mask)
    listener.listen(16)
    listener.setblocking(False)
    return listener
