import asyncio

from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream import resize
from transom_guest.stream.resize import Resizer, roomy


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_newest_wish_wins_and_one_change_runs_at_a_time():
    applied, gate = [], asyncio.Event()

    async def set_size(width, height):
        applied.append((width, height))
        await gate.wait()

    resizer = Resizer(set_size)
    for width in (600, 700, 800):
        resizer.want(width, 100)
    await settle()
    assert applied == [(800, 100)]
    resizer.want(900, 100)
    resizer.want(1000, 100)
    await settle()
    assert applied == [(800, 100)]
    gate.set()
    await settle()
    assert applied == [(800, 100), (1000, 100)]


async def test_a_refused_size_does_not_stop_the_next():
    applied = []

    async def set_size(width, height):
        if width == 7000:
            raise RuntimeError("no such mode")
        applied.append((width, height))

    resizer = Resizer(set_size)
    resizer.want(7000, 1)
    await settle()
    resizer.want(640, 480)
    await settle()
    assert applied == [(640, 480)]


async def test_a_change_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(resize, "SET_DEADLINE", 0.01)
    applied = []

    async def set_size(width, height):
        applied.append(width)
        if width == 601:
            await asyncio.Event().wait()

    resizer = Resizer(set_size)
    resizer.want(601, 1)
    await asyncio.sleep(0)
    resizer.want(602, 2)
    async with asyncio.timeout(5):
        while applied != [601, 602]:
            await asyncio.sleep(0.005)


async def test_a_density_is_applied_beside_a_size_the_newest_of_each():
    applied = []

    async def change(*what):
        applied.append(what)

    resizer = Resizer(change, change)
    resizer.want_density(150)
    resizer.want(1000, 100)
    resizer.want_density(200)
    await settle()
    assert applied == [(1000, 100), (200,)]


async def test_no_desktop_is_narrower_than_a_browsers_window_whatever_a_page_asks_for():
    applied = []

    async def change(*what):
        applied.append(what)

    resizer = Resizer(change, change)
    resizer.want(780, 892)
    await settle()
    resizer.want_density(200)
    await settle()
    resizer.want_density(100)
    await settle()
    resizer.want(1, 1)
    await settle()
    assert applied == [(780, 892), (1000, 1142), (200,), (780, 892), (100,), (500, 500)]


@given(st.integers(1, 7680), st.integers(1, 7680), st.integers(100, 300))
def test_a_size_that_has_room_stays_and_another_keeps_its_shape(width, height, density):
    wide, high = roomy(width, height, density)
    assert wide * 100 >= 500 * density
    assert (wide, high) == (width, height) or (wide % 2 == high % 2 == 0 and width < wide)
