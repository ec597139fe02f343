from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.unit.transom_guest.fake_keeper import TOKEN, Conversation, FakeKeeper, fake_keeper
from transom_guest import vnc

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def keeper(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeKeeper]:
    async with fake_keeper(monkeypatch) as keeper:
        yield keeper


@asynccontextmanager
async def display_server(handler: Handler) -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "vnc.sock")
        server = await asyncio.start_unix_server(handler, path)
        try:
            yield path
        finally:
            server.close()


async def opened(keeper: FakeKeeper, path: str) -> tuple[Conversation, asyncio.Task[None]]:
    task = asyncio.create_task(vnc.serve_stream(TOKEN, "s1", path))
    call = await keeper.call()
    assert (call.hello.role, call.hello.stream) == ("stream", "s1")
    return call, task


async def test_bytes_go_both_ways_and_the_last_ones_arrive(keeper: FakeKeeper) -> None:
    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"RFB 003.008\n")
        writer.write(await reader.readexactly(12) + b"x" * 300_000)
        writer.close()

    async with display_server(server) as path, asyncio.timeout(10):
        call, task = await opened(keeper, path)
        assert await call.reader.readexactly(12) == b"RFB 003.008\n"
        call.writer.write(b"RFB 003.003\n")
        assert await call.reader.read(12) == b"RFB 003.003\n"
        assert len(await call.reader.readexactly(300_000)) == 300_000
        await task


async def test_a_slow_viewer_holds_the_server_back(keeper: FakeKeeper) -> None:
    written = 0
    stuck = asyncio.Event()

    async def server(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        try:
            while True:
                writer.write(bytes(65536))
                async with asyncio.timeout(0.5):
                    await writer.drain()
                written += 65536
        except TimeoutError:
            stuck.set()
        finally:
            writer.transport.abort()

    async with display_server(server) as path, asyncio.timeout(20):
        call, task = await opened(keeper, path)
        call.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await stuck.wait()
        assert written < 64 * 2**20
        call.hang_up()
        await task


async def test_a_viewer_that_leaves_ends_the_server_side(keeper: FakeKeeper) -> None:
    ended = asyncio.Event()

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()
        writer.close()

    async with display_server(server) as path, asyncio.timeout(10):
        call, task = await opened(keeper, path)
        call.hang_up()
        await task
        await ended.wait()


async def test_no_display_server(keeper: FakeKeeper) -> None:
    with pytest.raises(OSError):
        await vnc.serve_stream(TOKEN, "s1", "/nonexistent/vnc.sock")


async def test_of_one_who_only_watches_no_input_reaches_the_display(keeper: FakeKeeper) -> None:
    hello, ask = b"RFB 003.008\n\x01\x01", b"\x03" + bytes(9)
    key, heard, all_heard = b"\x04\x01\x00\x00\x00\x00\x00\x61", bytearray(), asyncio.Event()

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            heard.extend(data)
            if len(heard) >= len(hello + ask):
                all_heard.set()
        writer.close()

    async with display_server(server) as path, asyncio.timeout(10):
        task = asyncio.create_task(vnc.serve_stream(TOKEN, "s1", path, watching=True))
        call = await keeper.call()
        call.writer.write(hello + key + ask)
        await all_heard.wait()
        call.writer.write(b"\x07 what is this")
        await task
    assert heard == hello + ask
