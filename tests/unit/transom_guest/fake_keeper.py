"""A keeper's link listener for tests: says Welcome, keeps what it hears, says what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from transom_wire import WIRE_VERSION
from transom_wire.codec import Message, decode, encode
from transom_wire.framing import HEADER, pack
from transom_wire.link import FROM_GUEST, Hello, Welcome

TOKEN = "t" * 24
WELCOME = Welcome(version=WIRE_VERSION)
BOOT_WELCOME = Welcome(
    version=WIRE_VERSION,
    link_token=TOKEN,
    session="ses_test",
    width=1280,
    height=720,
    start_url="about:blank",
    forwarder_port=3128,
)


class Conversation:
    """One accepted link connection."""

    def __init__(self, hello: Hello, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hello, self.reader, self.writer = hello, reader, writer

    async def hear(self) -> Any:
        """The next message from the guest."""
        return decode(await frame(self.reader), cast("Any", FROM_GUEST[self.hello.role]))

    async def say(self, *messages: Message) -> None:
        self.writer.write(b"".join(pack(encode(message)) for message in messages))
        await self.writer.drain()

    def hang_up(self) -> None:
        self.writer.transport.abort()


async def frame(reader: asyncio.StreamReader) -> bytes:
    (size,) = HEADER.unpack(await reader.readexactly(HEADER.size))
    return await reader.readexactly(size)


class FakeKeeper:
    """Listens on 127.0.0.1 and hands out each conversation after its Welcome."""

    def __init__(self, welcome: bytes) -> None:
        self.welcome = welcome
        self.calls: asyncio.Queue[Conversation] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            hello = decode(await frame(reader), (Hello,))
        except EOFError:
            return
        writer.write(self.welcome)
        self.calls.put_nowait(Conversation(hello, reader, writer))

    async def call(self) -> Conversation:
        async with asyncio.timeout(10):
            return await self.calls.get()


@asynccontextmanager
async def fake_keeper(
    monkeypatch: pytest.MonkeyPatch, welcome: Message | bytes = WELCOME
) -> AsyncIterator[FakeKeeper]:
    """A listening FakeKeeper, with TRANSOM_LINK set to it."""
    keeper = FakeKeeper(welcome if isinstance(welcome, bytes) else pack(encode(welcome)))
    server = await asyncio.start_server(keeper.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("TRANSOM_LINK", f"127.0.0.1:{port}")
    try:
        yield keeper
    finally:
        server.close()
        for writer in keeper.writers:
            writer.transport.abort()
        await asyncio.sleep(0)
