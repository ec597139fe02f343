from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from transom_keeper import frames
from transom_keeper.frames import ConnectionEnded, Framed, Slow
from transom_wire.codec import WireError, encode
from transom_wire.framing import FrameError, pack
from transom_wire.link import Hello, Ping, Progress

HELLO = Hello(version=1, role="boot", token="t" * 32)


class Pair:
    """A Framed and the raw end of its peer."""

    def __init__(self, framed: Framed, peer: socket.socket) -> None:
        self.framed, self.peer = framed, peer

    def say(self, data: bytes) -> None:
        self.peer.setblocking(True)
        self.peer.sendall(data)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    yield Pair(Framed(reader, writer, limit=4096, unsent=100_000), theirs)
    writer.transport.abort()
    theirs.close()


async def test_the_first_message_takes_not_a_byte_more(pair: Pair) -> None:
    pair.say(pack(encode(HELLO)) + b"raw bytes")
    assert await pair.framed.first((Hello,), 5) == HELLO
    assert await pair.framed.reader.read(100) == b"raw bytes"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", FrameError),
        (b"\0\0\0\0", FrameError),
        (pack(b"x" * 1025), FrameError),
        (pack(b"{}"), WireError),
        (pack(encode(Ping())), WireError),
    ],
)
async def test_garbage_first_is_told_from_a_message(pair: Pair, said: bytes, error: type[Exception]) -> None:
    pair.say(said)
    with pytest.raises(error):
        await pair.framed.first((Hello,), 5)


async def test_silence_and_half_a_message_end_the_wait(pair: Pair) -> None:
    with pytest.raises(ConnectionEnded):
        await pair.framed.first((Hello,), 0.01)
    pair.say(b"\0\0")
    pair.peer.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionEnded):
        await pair.framed.first((Hello,), 5)


async def test_bodies_come_one_by_one_until_the_peer_closes(pair: Pair) -> None:
    pair.say(pack(encode(HELLO)) + pack(b"one") + pack(b"two")[:3])
    await pair.framed.first((Hello,), 5)
    pair.say(pack(b"two")[3:])
    pair.peer.shutdown(socket.SHUT_WR)
    assert [body async for body in pair.framed.bodies(5)] == [b"one", b"two"]


async def test_bodies_end_when_the_peer_is_silent(pair: Pair) -> None:
    assert [body async for body in pair.framed.bodies(0.01)] == []


async def test_a_body_over_the_limit_is_an_error(pair: Pair) -> None:
    pair.say(pack(b"x" * 4097))
    with pytest.raises(FrameError):
        [body async for body in pair.framed.bodies(5)]


async def test_a_peer_that_does_not_read_is_slow_and_not_our_memory(pair: Pair) -> None:
    with pytest.raises(Slow):
        for _ in range(100):
            pair.framed.send_body(b"x" * 50_000)
    assert pair.framed.writer.transport.get_write_buffer_size() < 200_000


async def test_flush_waits_and_gives_up(pair: Pair) -> None:
    pair.framed.send(Progress(stage="display"))
    await pair.framed.flush(5)
    assert pair.peer.recv(4096) == pack(encode(Progress(stage="display")))
    with pytest.raises(Slow):
        while True:
            pair.framed.send_body(b"x" * 50_000)
    await pair.framed.flush(0.01)
    pair.framed.close()
    assert isinstance(Slow(), frames.PROTOCOL_ERRORS)
