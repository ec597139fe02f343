"""Checks of exits when what they rest on fails: the echo service, the host's own way there, the check itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.exits import ECHO, HOST, Clock, World, an_egress
from transom.egress import checker
from transom.egress.measure import Measured, NotMeasured
from transom.egress.state import Terms
from transom.model.exit import ExitState, Upstream

TWO = "http://u:p@proxy.example:{101..102}"


async def test_an_echo_service_that_goes_away_between_two_checks_kills_no_exit(tmp_path: Path) -> None:
    world, clock = World(), Clock()
    async with an_egress(tmp_path, world=world, clock=clock) as egress:
        await egress.add(TWO)
        await egress.settle()
        world.echo = False
        for _ in range(40):
            clock.now += 2_500
            await egress.desk.check(None)
        assert {exit.health.state for exit in egress.desk.pool.exits.values()} == {ExitState.HEALTHY}
        assert egress.said.alerts == []


async def test_where_the_host_never_reaches_the_echo_service_other_exits_say_that_it_works(
    tmp_path: Path,
) -> None:
    world, clock = World({101: NotMeasured("no answer in time")}, host=None), Clock()
    async with an_egress(tmp_path, world=world, clock=clock) as egress:
        await egress.add(TWO)
        for _ in range(8):
            clock.now += 2_500
            await egress.desk.check("proxy.example:102")
            await egress.desk.check("proxy.example:101")
        assert not egress.desk.found("proxy.example:101").usable
        assert egress.desk.found("proxy.example:102").health.state is ExitState.HEALTHY


async def test_a_host_without_network_makes_no_exit_dead_and_moves_nobody(tmp_path: Path) -> None:
    world, clock = World(), Clock()
    async with an_egress(tmp_path, world=world, clock=clock) as egress:
        await egress.add(TWO)
        ada = await egress.user("ada")
        mine = await egress.service.route(ada)
        await egress.settle()
        cut = NotMeasured("the exit cannot be reached", own=True)
        world.addresses, world.host = {101: cut, 102: cut}, None
        for _ in range(120):
            clock.now += 30_000
            await egress.settle()
        states = {exit.health.state for exit in egress.desk.pool.exits.values()}
        assert ExitState.DEAD not in states
        world.addresses, world.host = {}, HOST
        for _ in range(4):
            clock.now += 5_000
            await egress.settle()
        assert {exit.health.state for exit in egress.desk.pool.exits.values()} == {ExitState.HEALTHY}
        assert await egress.service.route(ada) == mine
        assert "user_moved" not in egress.said.kinds()


async def test_a_check_that_breaks_is_a_failure_and_not_repeated_at_each_tick(tmp_path: Path) -> None:
    class Breaking(World):
        async def through(self, upstream: Upstream, echo: str | None) -> Measured:
            self.asked.append((upstream.port, None))
            raise RuntimeError("nobody thought of this")

    world, clock = Breaking(), Clock()
    async with an_egress(tmp_path, world=world, clock=clock) as egress:
        await egress.add("http://proxy.example:101")
        for _ in range(10):
            await egress.settle()
        assert len(world.asked) == 1
        for _ in range(10):
            clock.now += 2_500
            await egress.settle()
        (exit,) = egress.desk.pool.exits.values()
        assert exit.health.state is ExitState.QUARANTINED
        assert exit.health.why == "the check itself broke"


async def test_who_asks_does_not_wait_for_ever_and_the_check_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    class Slow(World):
        async def through(self, upstream: Upstream, echo: str | None) -> Measured:
            await gate.wait()
            return await super().through(upstream, echo)

    monkeypatch.setattr(checker, "PATIENCE_S", 0.05)
    async with an_egress(tmp_path, world=Slow()) as egress:
        await egress.add("http://proxy.example:101")
        assert [exit.address for exit in await egress.desk.check(None)] == [None]
        gate.set()
        monkeypatch.setattr(checker, "PATIENCE_S", 20.0)
        assert [exit.address for exit in await egress.desk.check(None)] == ["203.0.113.101"]


async def test_that_an_exit_is_the_host_s_own_address_is_said_once_also_when_learnt_later(
    tmp_path: Path,
) -> None:
    world, clock = World({101: HOST}, host=None), Clock()
    async with an_egress(tmp_path, world=world, clock=clock, terms=Terms(echo=ECHO)) as egress:
        await egress.add(TWO)
        await egress.settle()
        assert "address_is_host" not in egress.said.kinds()
        world.host = HOST
        for _ in range(3):
            clock.now += 301_000
            await egress.settle()
        assert egress.said.kinds().count("address_is_host") == 1
        own = egress.desk.found("proxy.example:101")
        assert egress.service.checker.as_host == {own.id}
        world.addresses[101] = "203.0.113.9"
        await egress.desk.check(None)
        assert egress.service.checker.as_host == set()
