"""RFB's pipe: bytes as they are, back-pressure both ways, every end with its cause."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from transom.stream import fallback
from transom.stream.fallback import Ended, pipe


class FakeSocket:
    """A viewer: what it will say in a queue, what it heard in a list; `gate` holds it back."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.heard: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False

    async def receive(self) -> bytes | None:
        return await self.says.get()

    async def send(self, data: bytes) -> None:
        await self.gate.wait()
        if self.broken:
            raise ConnectionResetError
        self.heard.append(data)


class Bench:
    def __init__(self, server: asyncio.Server) -> None:
        self.socket, self.acts = FakeSocket(), 0
        self.server = server
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    def active(self) -> None:
        self.acts += 1


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    ends: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    server = await asyncio.start_server(lambda r, w: ends.put_nowait((r, w)), "127.0.0.1", 0)
    made = Bench(server)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    made.reader, made.writer = await ends.get()
    made.piped = asyncio.create_task(pipe(made.socket, reader, writer, made.active))  # type: ignore[attr-defined]
    yield made
    made.piped.cancel()  # type: ignore[attr-defined]
    made.writer.close()
    server.close()


async def ended(bench: Bench) -> Ended:
    async with asyncio.timeout(5):
        result: Ended = await bench.piped  # type: ignore[attr-defined]
        return result


async def test_bytes_pass_as_they_are(bench: Bench) -> None:
    bench.socket.says.put_nowait(b"\x00\xff up")
    assert await bench.reader.readexactly(5) == b"\x00\xff up"
    assert bench.acts == 1
    bench.writer.write(b"down \x00")
    bench.writer.close()
    assert await ended(bench) is Ended.MACHINE
    assert b"".join(bench.socket.heard) == b"down \x00"


async def test_the_viewer_leaves(bench: Bench) -> None:
    bench.socket.says.put_nowait(None)
    assert await ended(bench) is Ended.VIEWER
    assert await bench.reader.read() == b""


async def test_the_viewer_breaks_off(bench: Bench) -> None:
    bench.socket.broken = True
    bench.writer.write(b"x")
    assert await ended(bench) is Ended.VIEWER


async def test_a_viewer_that_takes_nothing_holds_the_machine_back_and_is_let_go(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fallback, "STALL_S", 0.2)
    bench.socket.gate.clear()
    bench.writer.write(b"x" * 2**20)
    assert await ended(bench) is Ended.STALLED
    assert bench.socket.heard == []
