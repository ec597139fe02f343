import asyncio

from transom_guest.stream import resize
from transom_guest.stream.resize import Resizer


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_newest_wish_wins_and_one_change_runs_at_a_time():
    applied, gate = [], asyncio.Event()

    async def set_size(width, height):
        applied.append((width, height))
        await gate.wait()

    resizer = Resizer(set_size)
    for width in (100, 200, 300):
        resizer.want(width, 100)
    await settle()
    assert applied == [(300, 100)]
    resizer.want(400, 100)
    resizer.want(500, 100)
    await settle()
    assert applied == [(300, 100)]
    gate.set()
    await settle()
    assert applied == [(300, 100), (500, 100)]


async def test_a_refused_size_does_not_stop_the_next():
    applied = []

    async def set_size(width, height):
        if width == 1:
            raise RuntimeError("no such mode")
        applied.append((width, height))

    resizer = Resizer(set_size)
    resizer.want(1, 1)
    await settle()
    resizer.want(640, 480)
    await settle()
    assert applied == [(640, 480)]


async def test_a_change_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(resize, "SET_DEADLINE", 0.01)
    applied = []

    async def set_size(width, height):
        applied.append(width)
        if width == 1:
            await asyncio.Event().wait()

    resizer = Resizer(set_size)
    resizer.want(1, 1)
    await asyncio.sleep(0)
    resizer.want(2, 2)
    async with asyncio.timeout(5):
        while applied != [1, 2]:
            await asyncio.sleep(0.005)


async def test_a_density_is_applied_beside_a_size_the_newest_of_each():
    applied = []

    async def change(*what):
        applied.append(what)

    resizer = Resizer(change, change)
    resizer.want_density(150)
    resizer.want(100, 100)
    resizer.want_density(200)
    await settle()
    assert applied == [(100, 100), (200,)]
