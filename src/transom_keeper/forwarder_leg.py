"""One connection of the forwarder, the guest's or the site's: read by a parser first, passed on later.

Until it is joined to another leg, what arrives is held for `read`, a buffer's worth at most. Afterwards it goes
straight to the other leg, held to that one's pace; no task and no copy of ours waits on an idle tunnel.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import cast

Count = Callable[[int], None]
BUFFER = 64 * 1024
"""Bytes of one direction that wait here before their sender has to."""
_SHARED = memoryview(bytearray(BUFFER))
"""What the kernel's bytes are read into: each piece is taken out of it before the loop does anything else."""


class Leg(asyncio.BaseProtocol):
    """A transport, and where its bytes go. Made as PlainLeg or TlsLeg. `made` is called once it is connected."""

    def __init__(self, made: Callable[[Leg], None] | None = None) -> None:
        self._made = made
        self.transport = cast(asyncio.Transport, None)
        self.joined: Joined | None = None
        self.ended = False
        """The other side has sent its last byte, or is gone."""
        self.failure: Exception | None = None
        self._held = bytearray()
        self._reader: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._full = False
        self._lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=BUFFER)
        if self._made is not None:
            self._made(self)

    def arrived(self, data: bytes) -> None:
        """These bytes have come."""
        if self.joined is not None:
            self.joined.passed(self, data)
            return
        self._held += data
        if len(self._held) >= BUFFER:
            self.transport.pause_reading()
        _wake(self._reader)

    def eof_received(self) -> bool:
        """asyncio's: no more will come. The way back stays open, where the transport can do that."""
        self.ended = True
        if self.joined is not None:
            self.joined.half_closed(self)
        _wake(self._reader)
        return self.transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's."""
        self.ended, self.failure = True, exc
        if not self._lost.done():
            self._lost.set_result(None)
        if self.joined is not None:
            self.joined.lost(self)
        _wake(self._reader)
        self.resume_writing()

    def pause_writing(self) -> None:
        """asyncio's: too much waits to be sent."""
        self._full = True
        if self.joined is not None:
            self.joined.full(self, True)

    def resume_writing(self) -> None:
        """asyncio's."""
        self._full = False
        if self.joined is not None:
            self.joined.full(self, False)
        _wake(self._writable)

    async def read(self) -> bytes:
        """What has come, at least one byte; b"" at the end. One reader at a time. Raises ConnectionError."""
        while not self._held and not self.ended:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        if not self._held and self.failure is not None:
            raise ConnectionError(str(self.failure))
        return self.take()

    def take(self) -> bytes:
        """What is held now; more may come in again."""
        data = bytes(self._held)
        self._held.clear()
        if len(data) >= BUFFER and not self.transport.is_closing():
            self.transport.resume_reading()
        return data

    @property
    def has_held(self) -> bool:
        """True when something has come that nobody has read."""
        return bool(self._held)

    def take_back(self, data: bytes) -> None:
        """Hold `data` as if it had come just now, before what is held."""
        self._held[:0] = data

    async def write(self, data: bytes) -> None:
        """Send `data`, and wait until there is room for more. Raises ConnectionError."""
        self.transport.write(data)
        while self._full and not self.is_lost:
            self._writable = asyncio.get_running_loop().create_future()
            await self._writable
        if self.is_lost:
            raise ConnectionError("the connection is gone")

    @property
    def is_lost(self) -> bool:
        """True when the connection is gone."""
        return self._lost.done()

    async def closed(self) -> None:
        """Wait until the transport is closed and all that was written is out, or lost."""
        await asyncio.shield(self._lost)

    def abort(self) -> None:
        """Cut it off now; what waits to be sent is lost."""
        self.transport.abort()


class PlainLeg(Leg, asyncio.BufferedProtocol):
    """A leg on a socket."""

    def get_buffer(self, sizehint: int) -> memoryview:
        """asyncio's."""
        return _SHARED

    def buffer_updated(self, nbytes: int) -> None:
        """asyncio's: so many bytes have come."""
        self.arrived(bytes(_SHARED[:nbytes]))


class TlsLeg(Leg, asyncio.Protocol):
    """A leg on TLS. Not with a buffer of ours: asyncio then loses what is over it when the other side ends."""

    def data_received(self, data: bytes) -> None:
        """asyncio's: these bytes have come."""
        self.arrived(data)


class Joined:
    """Two legs that pass everything on to each other."""

    def __init__(self, one: Leg, other: Leg, *, up: Count, down: Count) -> None:
        """`up` and `down` are told of each piece's bytes from `one`, and from `other`."""
        self.done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """How it ended: done or broken."""
        self.moved_at = time.monotonic()
        self._one, self._other_one = one, other
        self._up, self._down = up, down
        for leg in (one, other):
            leg.joined = self
        for leg in (one, other):
            if held := leg.take():
                self.passed(leg, held)
            if leg.ended:
                self.half_closed(leg)
            if leg.is_lost:
                self.lost(leg)

    def passed(self, leg: Leg, data: bytes) -> None:
        """`leg` has received `data`."""
        self.moved_at = time.monotonic()
        (self._up if leg is self._one else self._down)(len(data))
        to = self._opposite(leg).transport
        if not to.is_closing():
            to.write(data)

    def half_closed(self, leg: Leg) -> None:
        """`leg` will receive no more."""
        self.moved_at = time.monotonic()
        other = self._opposite(leg)
        both_can = leg.transport.can_write_eof() and other.transport.can_write_eof()
        if both_can and not other.transport.is_closing():
            with contextlib.suppress(OSError):
                other.transport.write_eof()
        if other.ended or not both_can:
            self._end("done")

    @property
    def half(self) -> bool:
        """True when one side has ended."""
        return self._one.ended or self._other_one.ended

    def lost(self, leg: Leg) -> None:
        """`leg` is gone."""
        self._end("broken" if leg.failure is not None else "done")

    def full(self, leg: Leg, full: bool) -> None:
        """`leg` cannot, or can again, take more."""
        sender = self._opposite(leg).transport
        if sender.is_closing():
            return
        if full:
            sender.pause_reading()
        else:
            sender.resume_reading()

    def _opposite(self, leg: Leg) -> Leg:
        return self._other_one if leg is self._one else self._one

    def _end(self, how: str) -> None:
        if not self.done.done():
            self.done.set_result(how)


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
