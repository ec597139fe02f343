from __future__ import annotations

import asyncio
import os
import socket

import pytest

from transom_keeper.splice import HIGH_WATER, Stream, splice


async def ends() -> tuple[Stream, Stream]:
    """Two ends of one connection, both as asyncio streams."""
    ours, theirs = socket.socketpair()
    return await asyncio.open_connection(sock=ours), await asyncio.open_connection(sock=theirs)


async def test_bytes_go_both_ways_and_the_end_ends_both() -> None:
    (viewer, near), (far, guest) = await ends(), await ends()
    joined = asyncio.ensure_future(splice(near, far))
    payload = bytes(range(256)) * 4000
    for source, sink in ((viewer, guest), (guest, viewer)):
        source[1].write(payload)
        assert await asyncio.wait_for(sink[0].readexactly(len(payload)), 10) == payload
    guest[1].close()
    assert await asyncio.wait_for(viewer[0].read(), 10) == b""
    await asyncio.wait_for(joined, 10)
    viewer[1].close()


@pytest.mark.parametrize("talking", [False, True], ids=["silent viewer", "viewer that goes on talking"])
async def test_the_last_bytes_come_before_the_end(talking: bool) -> None:
    """The guest writes less than the high-water mark and is gone; the viewer reads later, and the keeper closes its
    connection at once where the splice is over."""
    (viewer, near), (far, guest) = await ends(), await ends()
    viewer[1].transport.pause_reading()
    payload = os.urandom(HIGH_WATER + 128 * 1024)

    async def keep() -> None:
        await splice(near, far)
        near[1].transport.abort()

    kept = asyncio.ensure_future(keep())
    guest[1].write(payload)
    guest[1].close()
    await asyncio.wait_for(guest[1].wait_closed(), 10)
    if talking:
        viewer[1].write(b"x" * 65536)
    await asyncio.sleep(0.1)
    assert not kept.done(), "nobody has the rest yet"
    viewer[1].transport.resume_reading()
    assert await asyncio.wait_for(viewer[0].read(), 10) == payload
    await asyncio.wait_for(kept, 10)
    viewer[1].close()


async def test_a_side_that_does_not_read_holds_the_other_back() -> None:
    (viewer, near), (far, guest) = await ends(), await ends()
    joined = asyncio.ensure_future(splice(near, far, stall=60))
    guest[1].transport.set_write_buffer_limits(high=64 * 1024)
    sent = 0
    async with asyncio.timeout(10):
        while True:
            guest[1].write(b"x" * 65536)
            try:
                async with asyncio.timeout(0.2):
                    await guest[1].drain()
            except TimeoutError:
                break
            sent += 65536
    assert sent < 64 * HIGH_WATER
    assert near[1].transport.get_write_buffer_size() <= HIGH_WATER + 65536
    joined.cancel()
    await asyncio.gather(joined, return_exceptions=True)
    for end in (viewer, guest):
        end[1].transport.abort()


async def test_a_side_that_takes_nothing_for_long_is_given_up() -> None:
    (viewer, near), (far, guest) = await ends(), await ends()
    joined = asyncio.ensure_future(splice(near, far, stall=0.05))
    guest[1].write(b"x" * (8 * HIGH_WATER))
    await asyncio.wait_for(joined, 10)
    for end in (viewer, guest):
        end[1].transport.abort()
