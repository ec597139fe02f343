"""A machine's way out, seen by a far side: by the exit it was given, by the next one, and by none other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.exit_lab import ExitLab, exit_lab
from tests.support.machine_lab import Lab, Machine
from transom_keeper.usage import EVERY_S
from transom_wire.control import SetExit, StopMachine, Usage
from transom_wire.exit import ExitRoute

pytestmark = pytest.mark.machine

FETCH = """
import urllib.request, urllib.error
try:
    print(urllib.request.urlopen({url!r}, timeout=20).read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.reason, error.read().decode())
"""


@pytest.fixture(scope="module")
def exits() -> Iterator[ExitLab]:
    with exit_lab(["tinyproxy", "dante"]) as made:
        yield made


async def fetch(machine: Machine, url: str) -> str:
    return (await machine.inside(FETCH.format(url=url))).strip()


async def usage(machine: Machine) -> Usage:
    told = await machine.hear(lambda each: isinstance(each, Usage))
    assert isinstance(told, Usage)
    return told


async def test_a_machine_leaves_by_its_exit_and_at_once_by_the_next(lab: Lab, exits: ExitLab) -> None:
    one, two = exits.proxies
    url = exits.far.url("/ip")
    async with lab.machine(lab.spec(exit=one.route("one"))) as machine:
        assert await fetch(machine, url) == one.address
        await machine.reattach()
        assert machine.channel.snapshot.exit == "one"
        await machine.channel.send(SetExit(two.route("two")))
        assert await fetch(machine, url) == two.address
        between = [each for each in machine.heard if isinstance(each, Usage)]
        last_of_one = [each.numbers for each in between if each.numbers["exit_changes"] == "0"][-1]
        assert int(last_of_one["exit_bytes_down"]) > 0 and last_of_one["exit_ok"] == "1"
        await machine.reattach()
        assert machine.channel.snapshot.exit == "two"
        assert machine.channel.snapshot.counters["exit_ok"] == "2"


async def test_without_its_exit_a_machine_has_no_way_and_its_user_reads_why(lab: Lab, exits: ExitLab) -> None:
    proxy = exits.proxies[0]
    url, before = exits.far.url("/ip"), len(exits.far.seen())
    async with lab.machine(lab.spec(exit=proxy.route("one"))) as machine:
        proxy.stop()
        try:
            said = await fetch(machine, url)
            assert said.startswith("502 Exit is down") and "it refuses connections" in said
            await machine.channel.send(SetExit(ExitRoute("none", why="Your exit is being changed.")))
            said = await fetch(machine, url)
            assert said.startswith("403 No way out") and "Your exit is being changed." in said
        finally:
            proxy.start()
        assert (await fetch(machine, "http://169.254.169.254/")).startswith("403 ")
    assert len(exits.far.seen()) == before


async def test_what_a_machine_uses_is_told(lab: Lab) -> None:
    written = 3_000_000
    async with lab.machine() as machine:
        await machine.inside(f"open('/home/user/big', 'wb').write(b'x' * {written})")
        await machine.inside("n = 0\nfor each in range(3_000_000): n += each")
        for _ in range(3):
            told = await asyncio.wait_for(usage(machine), EVERY_S * 4)
        numbers = {name: int(number) for name, number in told.numbers.items()}
        assert numbers["memory_bytes"] > 2**20 and numbers["pids"] >= 2
        assert numbers["cpu_ms"] >= 50 and numbers["disk_bytes"] >= written
        assert numbers["exit_bytes_up"] == 0 and "exit_open" not in numbers
        await machine.channel.send(StopMachine("done"))
        last = await usage(machine)
        assert int(last.numbers["cpu_ms"]) >= numbers["cpu_ms"]
