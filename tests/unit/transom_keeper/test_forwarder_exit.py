from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Any, cast

import pytest

from transom_keeper import forwarder_exit
from transom_keeper.forwarder_exit import DirectExit, NoExit, is_own, refuse_from_here
from transom_keeper.forwarder_leg import Leg
from transom_keeper.proxy import ProxyError, Target
from transom_wire.address import IPAddress

PUBLIC, PUBLIC_2, PUBLIC_6 = "9.9.9.9", "1.1.1.1", "2620:fe::fe"
LEG = cast(Leg, object())


class Net:
    """A network of names and addresses; what was asked and dialled is kept."""

    def __init__(
        self, names: dict[str, list[str]] | None = None, dead: dict[str, Exception] | None = None
    ) -> None:
        self.names, self.dead = names or {}, dead or {}
        self.asked: list[str] = []
        self.dialled: list[tuple[str, int]] = []

    async def resolve(self, name: str, port: int) -> Sequence[str]:
        self.asked.append(name)
        if name not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return self.names[name]

    async def connect(self, address: str, port: int) -> Leg:
        self.dialled.append((address, port))
        if address in self.dead:
            raise self.dead[address]
        return LEG

    def exit(self) -> DirectExit:
        return DirectExit(resolve=self.resolve, connect=self.connect)


def to(host: IPAddress | str, port: int) -> Target:
    return Target(host, port, None)


async def refused(dial: Awaitable[Any]) -> ProxyError:
    with pytest.raises(ProxyError) as raised:
        await dial
    return raised.value


async def never(*_: object) -> Any:
    await asyncio.Event().wait()


async def test_no_exit_refuses_all() -> None:
    error = await refused(NoExit().dial(to("site.example", 443)))
    assert (error.status, error.cause) == (403, "no_exit")
    assert "no way out" in error.reason


async def test_the_resolved_address_itself_is_dialled_and_the_name_asked_once() -> None:
    net = Net({"site.example": [PUBLIC]})
    assert (await net.exit().dial(to("site.example", 443))).leg is LEG
    assert net.dialled == [(PUBLIC, 443)]
    assert net.asked == ["site.example"]


async def test_an_address_is_dialled_without_asking_anybody() -> None:
    net = Net()
    assert (await net.exit().dial(to(ip_address(PUBLIC_6), 80))).leg is LEG
    assert (net.dialled, net.asked) == ([(PUBLIC_6, 80)], [])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
    ],
)
async def test_a_name_of_a_private_address_is_refused_and_nothing_dialled(address: str) -> None:
    net = Net({"rebind.example": [address]})
    for host in ("rebind.example", ip_address(address)):
        error = await refused(net.exit().dial(to(host, 80)))
        assert (error.status, error.cause) == (403, "address")
    assert net.dialled == []


async def test_of_many_addresses_only_the_allowed_are_dialled() -> None:
    net = Net({"mixed.example": ["127.0.0.1", PUBLIC, "::1"]}, dead={PUBLIC: ConnectionRefusedError()})
    error = await refused(net.exit().dial(to("mixed.example", 80)))
    assert (error.status, error.cause) == (502, "no_way")
    assert "connection refused" in error.reason
    assert net.dialled == [(PUBLIC, 80)]


async def test_the_next_address_is_tried() -> None:
    net = Net({"site.example": [PUBLIC_6, PUBLIC, PUBLIC_2]}, dead={PUBLIC_6: OSError(101, "unreachable")})
    assert (await net.exit().dial(to("site.example", 443))).leg is LEG
    assert net.dialled == [(PUBLIC_6, 443), (PUBLIC, 443)]


async def test_not_every_address_of_a_name_with_hundreds_is_tried() -> None:
    many = [f"9.9.{number}.9" for number in range(200)]
    net = Net({"many.example": many}, dead=dict.fromkeys(many, OSError(113, "unreachable")))
    assert (await refused(net.exit().dial(to("many.example", 80)))).cause == "no_way"
    assert len(net.dialled) == forwarder_exit.MAX_ADDRESSES


@pytest.mark.parametrize("names", [{}, {"lost.example": []}])
async def test_a_name_without_an_address(names: dict[str, list[str]]) -> None:
    error = await refused(Net(names).exit().dial(to("lost.example", 80)))
    assert (error.status, error.cause) == (502, "name")
    assert "lost.example" in error.reason


async def test_a_resolver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder_exit, "RESOLVE_S", 0.01)
    error = await refused(DirectExit(resolve=never).dial(to("slow.example", 80)))
    assert (error.status, error.cause) == (504, "name")


async def test_an_address_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder_exit, "CONNECT_S", 0.01)
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    net = Net({"slow.example": [PUBLIC]})
    error = await refused(DirectExit(resolve=net.resolve).dial(to("slow.example", 80)))
    assert (error.status, error.cause) == (504, "timeout")


async def test_lookups_at_once_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, gate = 0, 0, asyncio.Event()

    async def slow(name: str, port: int) -> Sequence[str]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        return [PUBLIC]

    way = DirectExit(resolve=slow, connect=Net().connect)
    dials = [asyncio.ensure_future(way.dial(to(f"n{number}.example", 80))) for number in range(50)]
    while running < forwarder_exit.MAX_RESOLVING:
        await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*dials)
    assert most == forwarder_exit.MAX_RESOLVING


async def test_this_hosts_own_addresses_are_refused_public_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_own("127.0.0.1")
    assert not is_own("192.0.2.1")
    assert not is_own("2001:db8::1")
    assert refuse_from_here(PUBLIC) is None
    monkeypatch.setattr(forwarder_exit, "is_own", lambda address: address == PUBLIC)
    assert refuse_from_here(PUBLIC) == "this host's own"
    assert refuse_from_here("10.0.0.1") == "private"


async def test_the_systems_resolver_gets_the_name_whole_and_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its final dot: no search domain of the host's is tried."""
    asked: list[object] = []

    async def getaddrinfo(host: object, port: object, **_: object) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, 1, 6, "", (PUBLIC, 80)), (socket.AF_INET6, 1, 6, "", (PUBLIC_6, 80, 0, 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    assert await forwarder_exit.resolve_by_system("intranet", 80) == [PUBLIC, PUBLIC_6]
    assert asked == [b"intranet."]


async def test_the_system_connects_to_addresses_only(unused: Callable[[], int]) -> None:
    with pytest.raises(ValueError, match="site"):
        await forwarder_exit.connect_by_system("site.example", 80)
    with pytest.raises(ConnectionRefusedError):
        await forwarder_exit.connect_by_system("127.0.0.1", unused())


@pytest.fixture
def unused() -> Callable[[], int]:
    def port() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return port
