"""No packet leaves a machine by another way than link, forwarder and door: counted on a host of the test's own.

The keeper runs in a network namespace that has a default route in both families, so that whatever got out
would be forwarded and seen. Every packet of every interface is captured there; what is not a TCP packet between
the forwarder and the machine's exit is a leak.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.support import leak_tour
from tests.support.exit_lab import ExitLab, Packets, Proxy, exit_lab
from tests.support.exit_nodes import Node
from tests.support.image import GoldenImage, golden_image
from tests.support.machine_lab import Lab, Machine, stage_standin, state_folder
from tests.support.vm_lab import VmGround, ground
from transom.drivers.stage import stage
from transom_wire.control import SetExit

__all__ = ["golden_image"]
pytestmark = pytest.mark.machine

HOUSEKEEPING = (
    "arp or igmp or (icmp6 and ip6[40] >= 133 and ip6[40] <= 136)"
    " or (ip6[6] == 0 and ip6[40] == 58 and ip6[48] == 143)"
)
"""What a kernel says to its neighbours by itself, machines or not: ARP, neighbour discovery, IGMP, MLD."""
ASK = """
import os, subprocess
words = ["curl", "-sS", "-m", "50", "--proxy", os.environ["HTTP_PROXY"], "http://web.lab.example/ip"]
done = subprocess.run(words, capture_output=True, text=True)
print(done.stdout + done.stderr)
"""
NESTED = """
import subprocess, sys
done = subprocess.run(["unshare", "-Urn", sys.executable, "-c", {code!r}], capture_output=True, text=True)
print(done.stdout + done.stderr)
"""


@dataclass
class World:
    """A host with a way to everywhere, one exit, and the means to start machines there."""

    host: Node
    exits: ExitLab
    python: str

    @property
    def exit(self) -> Proxy:
        return self.exits.proxies[0]

    def leaks(self, packets: Packets) -> list[str]:
        """Packets on the host's interfaces that are not the forwarder's."""
        own = f"host {self.exit.host} and tcp port {self.exit.port}"
        return packets.lines(f"not ({own}) and not ({HOUSEKEEPING})")

    def forwarded(self, packets: Packets) -> list[str]:
        return packets.lines(f"tcp and dst host {self.exit.host} and dst port {self.exit.port}")

    def strays(self) -> list[dict[str, Any]]:
        """What the far side was asked by another than the exit, or by a way of the tours past the forwarder. (The
        browser's report, which came by the exit, names every way: only what was asked for counts.)"""
        own = {self.exit.address, self.exit.address6}
        seen = self.exits.far.seen()
        return [
            each for each in seen if each["address"] not in own or each.get("target", "").startswith("/leak")
        ]

    @contextmanager
    def capture(self) -> Iterator[Packets]:
        """Every packet of the host but loopback's own."""
        with self.exits.capture(self.host, "any") as packets:
            yield packets


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    host = Node.make("host", {})
    try:
        with exit_lab(["squid"], host=host, host_reaches_far=True) as exits:
            for family, far in (("-4", exits.far.address), ("-6", "fe80::1")):
                link = host.run("ip", "-o", "-4", "addr", "show", "to", f"{exits.host_address}/32").split()[1]
                host.run("ip", family, "route", "replace", "default", "via", far, "dev", link)
            host.run("ip", "-6", "neigh", "replace", "fe80::1", "lladdr", "02:00:00:00:00:01", "dev", link)
            script = tmp_path_factory.mktemp("host") / "python"
            inside = shlex.join(["nsenter", "-t", str(host.pid), "-n", "--", sys.executable])
            script.write_text(f'#!/bin/sh\nexec {inside} "$@"\n')
            script.chmod(0o755)
            yield World(host, exits, str(script))
    finally:
        host.close()


@asynccontextmanager
async def machine_of(
    world: World, image: GoldenImage, guest: Callable[[Path], Path], **spec: str
) -> AsyncIterator[Machine]:
    """A machine whose keeper runs on the world's host and whose exit is the world's."""
    state = state_folder()
    lab = Lab(state, image, guest(state), python=world.python)
    made = replace(lab.spec(exit=world.exit.route("exit-1")), **spec)  # type: ignore[arg-type]
    try:
        async with lab.machine(made) as machine:
            yield machine
    finally:
        await lab.close()


def real_guest(state: Path) -> Path:
    return stage(state / "guest")


def test_a_packet_that_got_out_would_be_counted(world: World) -> None:
    """The capture itself, proved: what a process on the host sends by the default route is seen, in both families."""
    send = (
        "import socket\n"
        "for family, address in ((socket.AF_INET, '8.8.8.8'), (socket.AF_INET6, '2001:4860:4860::8888')):\n"
        "    socket.socket(family, socket.SOCK_DGRAM).sendto(b'leak', (address, 53))\n"
    )
    with world.capture() as packets:
        world.host.run("python3", "-c", send)
    seen = world.leaks(packets)
    assert any("8.8.8.8.53" in line for line in seen), seen
    assert any("2001:4860:4860::8888.53" in line for line in seen), seen


@pytest.mark.parametrize("root", [False, True], ids=["user", "nested root"])
async def test_a_shell_s_tour_leaves_by_the_exit_or_not_at_all(
    world: World, golden_image: GoldenImage, root: bool
) -> None:
    direct = [
        (world.exit.host, world.exit.port),
        (str(world.exits.host_address), 22),
        (world.exits.far.address, 80),
    ]
    tour = leak_tour.shell(world.exits.far.address, direct, root=root)
    async with machine_of(world, golden_image, stage_standin) as machine:
        with world.capture() as packets:
            came = leak_tour.answered(await machine.inside(NESTED.format(code=tour) if root else tour))
    assert world.leaks(packets) == []
    reached = {name: word for name, word in came.items() if word.startswith(("connected", "answered"))}
    assert reached == {}
    assert world.strays() == []
    if root:
        assert came["default route"].isdigit() and came["default route 6"].isdigit(), came
    else:  # the nested namespace is the sandbox's inside one more: not even the forwarder is there
        assert came["curl"].split() == ["0", world.exit.address]
        assert came["curl tls"].split() == ["0", world.exit.address]
        assert "may not be reached" in came["curl metadata"] and world.forwarded(packets)


async def test_a_browser_s_tour_leaves_by_the_exit_or_not_at_all(
    world: World, golden_image: GoldenImage
) -> None:
    """WebRTC with STUN and TURN, QUIC, IPv6, metadata, prefetch, DNS over HTTPS, and what Chromium calls itself."""
    report = "http://web.lab.example/report/"
    url = leak_tour.page(world.exits.far.address, report)
    with world.capture() as packets:
        async with machine_of(world, golden_image, real_guest, start_url=url):
            found = await asyncio.to_thread(_reported, world)
    assert world.leaks(packets) == []
    assert [each for each in found["candidates"] if "127.0.0.1" not in each and ".local" not in each] == []
    assert found["webtransport"] != "ready"
    assert world.strays() == []
    asked = {line.split()[6] for line in (world.exit.facts.folder / "access.log").read_text().splitlines()}
    asked.discard("error:transaction-end-before-headers")  # a connection made ahead that nobody needed
    strangers = {each for each in asked if "lab.example" not in each and world.exits.far.address not in each}
    # What the page asked for by a public address may go by the exit; what the browser asks for by itself may not.
    assert strangers <= {"1.1.1.1:443"}, (
        f"{strangers}: the browser called by itself, or a refused address went to the exit"
    )


def _reported(world: World, seconds: float = 60) -> dict[str, object]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for each in world.exits.far.seen():
            target = each.get("target", "")
            if "/report/" in target:
                found: dict[str, object] = json.loads(unquote(target.split("/report/", 1)[1]))
                assert each["address"] == world.exit.address
                return found
        time.sleep(0.2)
    raise AssertionError("the browser's tour did not report")


async def test_with_the_exit_dead_nothing_leaves_and_the_user_sees_why(
    world: World, golden_image: GoldenImage
) -> None:
    async with machine_of(world, golden_image, stage_standin) as machine:
        world.exit.stop()
        try:
            with world.capture() as packets:
                page = await machine.inside(ASK)
                tour = leak_tour.shell(world.exits.far.address, [])
                await machine.inside(tour)
        finally:
            world.exit.start()
        assert world.leaks(packets) == []
        assert "exit" in page.lower()
        assert (await machine.inside(ASK)).strip() == world.exit.address


@pytest.fixture(scope="module", params=["qemu", "firecracker"])
def rooted(world: World, request: pytest.FixtureRequest) -> Iterator[VmGround]:
    """Virtual machines on the world's host, whose boot is root and does what it is told."""
    state = state_folder()
    try:
        with ground(request.param, stage_standin(state, root=True)) as made:
            made.python = world.python
            made.prepare()
            yield made
    finally:
        shutil.rmtree(state)


@pytest.mark.vm
@pytest.mark.timeout(900)
async def test_root_of_a_virtual_machine_leaves_by_the_exit_or_not_at_all(
    world: World, rooted: VmGround
) -> None:
    """With every right inside: routes, addresses and frames of its own making, on the wire that it has."""
    far = world.exits.far.address
    direct = [(world.exit.host, world.exit.port), (str(world.exits.host_address), 22), (far, 80)]
    direct += [("192.168.100.1", port) for port in (53, 80, 3129, 5900)]
    tour = leak_tour.shell(far, direct, root=True)
    lab = rooted.lab()
    try:
        async with lab.machine() as machine:
            await machine.channel.send(SetExit(world.exit.route("exit-1")))
            with world.capture() as packets:
                seen = await machine.inside(ASK)
                started = await machine.inside(leak_tour.START_AS_ROOT.format(code=tour))
                assert not started.strip(), started
                while not (outcome := (await machine.inside(leak_tour.OUTCOME)).strip()):
                    pass
                came = leak_tour.answered(outcome)
    finally:
        await lab.close()
    assert world.leaks(packets) == []
    assert seen.strip() == world.exit.address and world.forwarded(packets)
    worst = ("default route", "default route 6", "second address", "promiscuous", "spoofed")
    assert all(came[each].isdigit() for each in worst), came
    assert came["frame"].startswith("["), "root could not send frames"
    reached = {name: word for name, word in came.items() if word.startswith(("connected", "answered"))}
    assert reached == {}
    assert world.strays() == []
