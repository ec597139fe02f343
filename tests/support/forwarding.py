"""A forwarder on the host's loopback, and a guest that asks it: for tests without a machine."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from transom_keeper.forwarder import Forwarder
from transom_wire.exit import ExitRoute

PATIENCE_S = 20.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Guest:
    """Asks `forwarder` as a guest's programs do."""

    def __init__(self, forwarder: Forwarder, address: tuple[str, int]) -> None:
        self.forwarder, self.address = forwarder, address
        self._writers: list[asyncio.StreamWriter] = []

    def count(self, name: str) -> int:
        """One of the forwarder's counters; 0 when it has none of that name."""
        return int(self.forwarder.counters().get(name, "0"))

    async def connect(self) -> Streams:
        """A connection to the forwarder."""
        reader, writer = await asyncio.open_connection(*self.address)
        self._writers.append(writer)
        return reader, writer

    async def ask(self, request: bytes) -> bytes:
        """Everything that comes back until the connection closes."""
        reader, writer = await self.connect()
        writer.write(request)
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()

    async def get(self, url: str, *headers: str) -> bytes:
        """A plain request for `url`; the whole response."""
        lines = [f"GET {url} HTTP/1.1", "Host: x", "Connection: close", *headers]
        return await self.ask("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def tunnel(self, authority: str) -> tuple[bytes, Streams]:
        """CONNECT; the answer's head, and the connection behind it."""
        reader, writer = await self.connect()
        writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        async with asyncio.timeout(PATIENCE_S):
            return await reader.readuntil(b"\r\n\r\n"), (reader, writer)

    async def get_by_tls(self, authority: str, path: str, trust: ssl.SSLContext) -> bytes:
        """The body of https://authority/path through a tunnel."""
        head, (reader, writer) = await self.tunnel(authority)
        assert b" 200 " in head, head
        async with asyncio.timeout(PATIENCE_S):
            await writer.start_tls(trust, server_hostname=authority.rpartition(":")[0])
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return await reader.readexactly(length)

    def close(self) -> None:
        """Leave."""
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def forwarding(route: ExitRoute, **options: Any) -> AsyncIterator[Guest]:
    """A forwarder by `route`; `options` are Forwarder's."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    forwarder = Forwarder(listener, route, **options)
    await forwarder.start()
    guest = Guest(forwarder, listener.getsockname())
    try:
        yield guest
    finally:
        guest.close()
        await forwarder.close()
