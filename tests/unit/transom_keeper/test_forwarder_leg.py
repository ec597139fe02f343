from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.forwarding import PATIENCE_S
from transom_keeper.forwarder_leg import BUFFER, Joined, Leg, PlainLeg
from transom_keeper.forwarder_tunnel import tunnel


class Pair:
    """A leg, and the socket at its other end."""

    def __init__(self, leg: Leg, far: socket.socket) -> None:
        self.leg, self.far = leg, far

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.far, data)

    async def hear(self, size: int) -> bytes:
        got = b""
        async with asyncio.timeout(PATIENCE_S):
            while len(got) < size:
                more = await asyncio.get_running_loop().sock_recv(self.far, size - len(got))
                if not more:
                    break
                got += more
        return got


@asynccontextmanager
async def pairs(count: int) -> AsyncIterator[list[Pair]]:
    loop = asyncio.get_running_loop()
    made = []
    for _ in range(count):
        near, far = socket.socketpair()
        for each in (near, far):
            each.setblocking(False)
        _, leg = await loop.create_connection(PlainLeg, sock=near)
        made.append(Pair(leg, far))
    try:
        yield made
    finally:
        for pair in made:
            pair.leg.abort()
            pair.far.close()
        await asyncio.sleep(0)


async def soon(true: object) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # type: ignore[operator]
            await asyncio.sleep(0.002)


class Counts:
    def __init__(self) -> None:
        self.up = self.down = 0

    def add_up(self, size: int) -> None:
        self.up += size

    def add_down(self, size: int) -> None:
        self.down += size


def join(one: Pair, other: Pair, counts: Counts | None = None) -> Joined:
    counts = counts or Counts()
    return Joined(one.leg, other.leg, up=counts.add_up, down=counts.add_down)


async def test_what_comes_is_read_and_the_end_is_seen() -> None:
    async with pairs(1) as (pair,):
        await pair.say(b"hello")
        assert await asyncio.wait_for(pair.leg.read(), PATIENCE_S) == b"hello"
        reading = asyncio.ensure_future(pair.leg.read())
        await asyncio.sleep(0)
        await pair.say(b"again")
        assert await asyncio.wait_for(reading, PATIENCE_S) == b"again"
        pair.far.shutdown(socket.SHUT_WR)
        assert await asyncio.wait_for(pair.leg.read(), PATIENCE_S) == b""
        await pair.leg.write(b"still")
        assert await pair.hear(5) == b"still"


async def test_a_sender_that_nobody_reads_has_to_wait() -> None:
    async with pairs(1) as (pair,):
        flood = asyncio.ensure_future(pair.say(b"x" * 20 * BUFFER))
        await soon(lambda: not pair.leg.transport.is_reading())
        assert not flood.done() and len(pair.leg.take()) <= 2 * BUFFER
        got = 0
        async with asyncio.timeout(PATIENCE_S):
            while not flood.done():
                got += len(await pair.leg.read())
        assert got > 10 * BUFFER


async def test_a_reader_that_takes_nothing_makes_a_writer_wait() -> None:
    async with pairs(1) as (pair,):
        writing = asyncio.ensure_future(pair.leg.write(b"x" * 40 * BUFFER))
        await soon(lambda: pair.leg.transport.get_write_buffer_size() > 0)
        assert not writing.done()
        assert len(await pair.hear(40 * BUFFER)) == 40 * BUFFER
        await asyncio.wait_for(writing, PATIENCE_S)


async def test_writing_to_who_is_gone_fails_and_so_does_waiting_for_room() -> None:
    async with pairs(1) as (pair,):
        writing = asyncio.ensure_future(pair.leg.write(b"x" * 40 * BUFFER))
        await soon(lambda: pair.leg.transport.get_write_buffer_size() > 0)
        pair.leg.abort()
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(writing, PATIENCE_S)
        with pytest.raises(ConnectionError):
            await pair.leg.write(b"x")
        await asyncio.wait_for(pair.leg.closed(), PATIENCE_S)


async def test_what_was_read_too_far_comes_first_again() -> None:
    async with pairs(1) as (pair,):
        await pair.say(b"last")
        await soon(lambda: pair.leg.take() and pair.leg.take_back(b"last") is None)
        pair.leg.take_back(b"first, ")
        assert await pair.leg.read() == b"first, last"


async def test_joined_legs_pass_on_what_was_held_and_all_that_comes() -> None:
    counts = Counts()
    async with pairs(2) as (one, other):
        one.leg.take_back(b"held ")
        joined = join(one, other, counts)
        await one.say(b"came")
        assert await other.hear(9) == b"held came"
        await other.say(b"back")
        assert await one.hear(4) == b"back"
        assert (counts.up, counts.down) == (9, 4)
        one.far.shutdown(socket.SHUT_WR)
        assert await other.hear(1) == b""
        await other.say(b"late")
        assert await one.hear(4) == b"late"
        assert joined.half and not joined.done.done()
        other.far.shutdown(socket.SHUT_WR)
        assert await asyncio.wait_for(joined.done, PATIENCE_S) == "done"


async def test_a_joined_leg_is_held_to_the_others_pace() -> None:
    size = 60 * BUFFER
    async with pairs(2) as (one, other):
        join(one, other)
        flood = asyncio.ensure_future(one.say(b"x" * size))
        await soon(lambda: not one.leg.transport.is_reading())
        assert not flood.done()
        assert other.leg.transport.get_write_buffer_size() <= 3 * BUFFER
        assert len(await other.hear(size)) == size
        await flood


async def test_legs_that_ended_before_they_were_joined() -> None:
    async with pairs(2) as (one, other):
        one.far.close()
        await soon(lambda: one.leg.ended)
        joined = join(one, other)
        assert await other.hear(1) == b""
        other.far.close()
        assert await asyncio.wait_for(joined.done, PATIENCE_S) == "done"


async def test_one_that_breaks_breaks_both() -> None:
    async with pairs(2) as (one, other):
        joined = join(one, other)
        one.leg.connection_lost(ConnectionResetError("reset"))
        assert await asyncio.wait_for(joined.done, PATIENCE_S) == "broken"


@pytest.mark.parametrize(("half", "idle_s", "half_closed_s"), [(False, 0.1, 9.0), (True, 9.0, 0.1)])
async def test_a_tunnel_that_falls_silent_ends(half: bool, idle_s: float, half_closed_s: float) -> None:
    async with pairs(2) as (one, other):
        if half:
            one.far.shutdown(socket.SHUT_WR)
        ended = tunnel(one.leg, other.leg, up=len_of, down=len_of, idle_s=idle_s, half_closed_s=half_closed_s)
        assert await asyncio.wait_for(ended, PATIENCE_S) == "idle"


def len_of(size: int) -> None:
    assert size > 0
