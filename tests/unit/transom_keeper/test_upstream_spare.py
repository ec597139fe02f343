from __future__ import annotations

import asyncio
from typing import cast

import pytest

from tests.support.forwarding import forwarding
from tests.support.waiting import until
from tests.unit.transom_keeper.test_upstream import HEAD, OK, proxy
from transom_keeper import upstream_spare
from transom_keeper.forwarder_leg import Leg
from transom_keeper.upstream_dialogue import UpstreamError
from transom_keeper.upstream_spare import Spare


class FakeLeg:
    def __init__(self) -> None:
        self.ended = self.has_held = self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class Proxy:
    """Gives legs, and counts them."""

    def __init__(self) -> None:
        self.legs: list[FakeLeg] = []
        self.dead = False

    async def reach(self) -> Leg:
        if self.dead:
            raise UpstreamError("down")
        self.legs.append(FakeLeg())
        return cast(Leg, self.legs[-1])


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_spare, "PAUSE_S", 0.0)


async def test_there_is_one_when_it_was_wanted_and_it_is_taken_once() -> None:
    made = Proxy()
    spare = Spare(made.reach)
    assert spare.take() is None
    for _ in range(3):
        spare.want()
    await until(lambda: made.legs)
    await asyncio.sleep(0)
    assert spare.take() is cast(object, made.legs[0])
    assert spare.take() is None and len(made.legs) == 1
    spare.close()


@pytest.mark.parametrize("what", ["ended", "has_held"])
async def test_one_that_was_closed_or_spoken_on_is_not_given(what: str) -> None:
    made = Proxy()
    spare = Spare(made.reach)
    spare.want()
    await until(lambda: made.legs)
    await asyncio.sleep(0)
    setattr(made.legs[0], what, True)
    assert spare.take() is None and made.legs[0].aborted


async def test_one_that_nobody_wants_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_spare, "IDLE_S", 0.01)
    made = Proxy()
    spare = Spare(made.reach)
    spare.want()
    await until(lambda: made.legs and made.legs[0].aborted)
    assert spare.take() is None


async def test_a_proxy_that_is_down_gives_none_and_close_ends_it() -> None:
    made = Proxy()
    made.dead = True
    spare = Spare(made.reach)
    spare.want()
    await until(lambda: spare._making is None)
    assert spare.take() is None
    made.dead = False
    spare.want()
    await until(lambda: made.legs)
    await asyncio.sleep(0)
    spare.close()
    assert made.legs[0].aborted
    spare.want()
    await asyncio.sleep(0.01)
    assert len(made.legs) == 1


async def test_a_spare_that_the_proxy_closed_unseen_costs_no_request() -> None:
    """The proxy takes one head a connection at first, then closes every idle connection as it is asked."""
    heads: list[bytes] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        stale = connections == 2
        head = await reader.readuntil(HEAD)
        if not stale:
            heads.append(head)
            writer.write(OK)
            await reader.read()

    async with proxy(serve) as made, forwarding(made.route()) as guest:
        assert b" 200 " in (await guest.tunnel("one.example:443"))[0]
        await until(lambda: connections == 2)
        assert b" 200 " in (await guest.tunnel("two.example:443"))[0]
        assert len(heads) == 2 and not [n for n in guest.forwarder.counters() if n.startswith("failed")]


async def test_the_spare_goes_with_its_exit() -> None:
    closed = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal closed
        if await reader.read(1000):
            writer.write(OK)
            await reader.read()
        closed += 1

    async with proxy(serve) as one, proxy(serve) as two, forwarding(one.route()) as guest:
        await guest.tunnel("one.example:443")
        await until(lambda: guest.forwarder._ways._exit._spare._leg)  # type: ignore[attr-defined]
        guest.forwarder.change(two.route())
        await until(lambda: closed == 2)
