"""Takes connections in no faster than they can be served: what is over that waits in the guest's own kernel."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable

from transom_keeper.forwarder_leg import Leg, PlainLeg
from transom_wire.rate import Bucket

ACCEPTS_PER_SECOND, ACCEPT_BURST = 250, 500
"""A browser that starts opens about a hundred at once; a flood is held to this."""
RETRY_S = 0.2
"""After the kernel could not give a connection, as when descriptors have run out."""


class Acceptor:
    """`room` is asked when a connection waits, and may make some; `serve` gets it."""

    def __init__(
        self, listener: socket.socket, room: Callable[[], bool], serve: Callable[[Leg], None]
    ) -> None:
        self._listener, self._room, self._serve = listener, room, serve
        self._bucket = Bucket(ACCEPTS_PER_SECOND, ACCEPT_BURST, time.monotonic())
        self._freed = asyncio.Event()

    def freed(self) -> None:
        """There is room again, or may be made."""
        self._freed.set()

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError:
                await asyncio.sleep(RETRY_S)
                continue
            try:
                await self._may()
                await self._begin(connection)
            except OSError:
                connection.close()
            except BaseException:
                connection.close()
                raise

    async def _may(self) -> None:
        while not self._room():
            self._freed.clear()
            await self._freed.wait()
        while not self._bucket.take(1, time.monotonic()):
            await asyncio.sleep(1 / ACCEPTS_PER_SECOND)

    async def _begin(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: PlainLeg(self._serve), connection)
