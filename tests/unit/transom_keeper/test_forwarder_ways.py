"""What may be reached at all, in every spelling an attacker would try; and a route that changes."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any, cast

import pytest

from tests.support.forwarding import PATIENCE_S, forwarding
from transom_keeper import forwarder_ways
from transom_keeper.forwarder_count import Tally
from transom_keeper.forwarder_exit import DirectExit, NoExit, Way
from transom_keeper.forwarder_leg import Leg
from transom_keeper.forwarder_ways import Ways, exit_of
from transom_keeper.proxy import ProxyError, Target
from transom_keeper.rules import Rules
from transom_keeper.upstream import UpstreamExit
from transom_wire.exit import DIRECT, NO_ROUTE, ExitRoute, HostRule

ROUTE = ExitRoute("upstream", exit="one", scheme="http", host="192.0.2.1", port=3128)
OWN = "45.45.45.45"


class Recorder:
    """An exit that notes what it was asked for; each dial waits for `gate`."""

    def __init__(self) -> None:
        self.dialled: list[Target] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.legs: list[FakeLeg] = []

    def close(self) -> None:
        pass

    async def dial(self, target: Target) -> Way:
        self.dialled.append(target)
        await self.gate.wait()
        self.legs.append(FakeLeg())
        return Way(cast(Leg, self.legs[-1]))


class FakeLeg:
    aborted = False

    def abort(self) -> None:
        self.aborted = True


SPELLINGS = [
    # this host and the exit's own loopback
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "127.000.000.001",
    "0",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[::1%25lo]",
    "[::1%lo]",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
    "localhost.localdomain",
    "127.0.0.1.nip.io",
    "app.127-0-0-1.sslip.io",
    # private networks
    "10.0.0.1",
    "10.1",
    "012.0.0.1",
    "192.168.1.1",
    "0xc0a80101",
    "172.16.0.1",
    "100.64.0.1",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1%25eth0]",
    "[fec0::1]",
    "printer",
    "printer.local",
    "intranet.corp",
    "db.internal",
    "nas.home.arpa",
    "10-0-0-1.plex.direct",
    # metadata services
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "metadata",
    "metadata.google.internal",
    "METADATA.google.INTERNAL.",
    "instance-data",
    "instance-data.ec2.internal",
    "169.254.169.254.nip.io",
    # no host of the internet
    "224.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
    "expyuzz4wqqyqhjn.onion",
    # this host's own public address, and another that it is known by
    OWN,
    "0x2d2d2d2d",
    "[::ffff:45.45.45.45]",
    "[64:ff9b::2d2d:2d2d]",
    # what is no host at all
    "%31%32%37.0.0.1",
    "127.0.0.1%00.example.org",
    "user@127.0.0.1",
    "example.org@127.0.0.1",
    "user:pass@10.0.0.1",
    "１２７.0.0.1",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "1.2.3.4.5",
    "256.256.256.256",
    "0x100000000",
    "-1",
    "[127.0.0.1]",
    "[::1",
    "a_b c",
    "..",
]


@pytest.mark.parametrize("route", [ROUTE, DIRECT], ids=["upstream", "direct"])
async def test_no_spelling_gets_past(route: ExitRoute) -> None:
    exit = Recorder()
    wrong = []
    async with forwarding(route, own={ip_address(OWN)}, make=lambda route, rules: exit) as guest:
        for spelling in SPELLINGS:
            for asked in (
                f"CONNECT {spelling}:443",
                f"GET http://{spelling}/",
                f"GET http://{spelling}:8080/x",
            ):
                got = await guest.ask(
                    f"{asked} HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n".encode()
                )
                if not got.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 400 ")):
                    wrong.append((asked, got[:40]))
    assert len(SPELLINGS) > 40
    assert not wrong and not exit.dialled


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "9.9.9.9",
        "[2620:fe::fe]",
        "9.9.9.9.nip.io",
        "a-1-2-3-4.example.org",
        "xn--bcher-kva.example",
    ],
)
async def test_what_is_public_is_dialled(host: str) -> None:
    exit = Recorder()
    ways = Ways(ROUTE, Tally(), dial_s=5, make=lambda route, rules: exit)
    await ways.open(Target(host if host[0] != "[" else ip_address(host[1:-1]), 443, None))
    assert len(exit.dialled) == 1


def test_this_hosts_own_address_is_refused_through_any_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder_ways, "is_own", lambda address: address == "9.9.9.9")
    ways = Ways(ROUTE, Tally(), dial_s=5, make=lambda route, rules: Recorder())
    with pytest.raises(ProxyError, match="this host's own"):
        ways.judge(Target(ip_address("::ffff:9.9.9.9"), 443, None))
    ways.judge(Target(ip_address("9.9.9.10"), 443, None))


def test_a_route_names_its_exit() -> None:
    assert isinstance(exit_of(NO_ROUTE, Rules()), NoExit)
    assert isinstance(exit_of(DIRECT, Rules()), DirectExit)
    assert isinstance(exit_of(ROUTE, Rules()), UpstreamExit)


async def test_an_upstream_that_lacks_its_address_is_no_way_out() -> None:
    async with forwarding(ExitRoute("upstream", exit="one")) as guest:
        assert (await guest.tunnel("example.org:443"))[0].startswith(b"HTTP/1.1 403 No way out\r\n")


async def test_without_an_exit_the_page_says_why() -> None:
    why = "Your exit is being changed; this takes a minute."
    async with forwarding(ExitRoute("none", why=why)) as guest:
        assert (await guest.get("http://example.org/")).endswith(f"transom: {why}\n".encode())
        guest.forwarder.change(ExitRoute("none", why="<b>&"))
        assert b"<p>&lt;b&gt;&amp;</p>" in await guest.get("http://example.org/", "Accept: text/html")
        guest.forwarder.change(NO_ROUTE)
        assert NO_ROUTE.why.encode() in await guest.get("http://example.org/")
        assert guest.forwarder.route == NO_ROUTE and guest.count("changes") == 0


def test_a_names_address_on_the_deny_list_is_not_dialled_by_the_direct_exit() -> None:
    async def resolve(name: str, port: int) -> list[str]:
        return ["9.9.9.9"]

    async def dial(port: int) -> None:
        rules = Rules(deny=[HostRule("9.9.9.9", 80)])
        await DirectExit(resolve=resolve, denies=rules.denies, connect=_refusing).dial(
            Target("a.example", port, None)
        )

    with pytest.raises(ProxyError) as raised:
        asyncio.run(dial(80))
    assert raised.value.cause == "address"
    with pytest.raises(ProxyError) as raised:
        asyncio.run(dial(443))
    assert raised.value.cause == "no_way"


async def _refusing(address: str, port: int) -> Leg:
    raise ConnectionRefusedError


async def test_what_is_being_dialled_is_dialled_anew_by_the_new_route() -> None:
    exits: list[Recorder] = []

    def make(route: ExitRoute, rules: Rules) -> Recorder:
        exits.append(Recorder())
        exits[-1].gate.clear()
        return exits[-1]

    tally = Tally()
    ways = Ways(ROUTE, tally, dial_s=PATIENCE_S, make=make)
    target = Target("example.org", 443, None)
    opening = asyncio.ensure_future(ways.open(target))
    while not exits[0].dialled:
        await asyncio.sleep(0)
    assert ways.change(_other(exit="two"))
    while not exits[1].dialled:
        await asyncio.sleep(0)
    exits[1].gate.set()
    assert cast(Any, (await opening).leg) is exits[1].legs[0]
    assert not exits[0].legs and tally.numbers()["ok"] == 1


async def test_what_is_refused_by_a_new_route_is_refused_though_it_was_being_dialled() -> None:
    exit = Recorder()
    exit.gate.clear()
    ways = Ways(ROUTE, Tally(), dial_s=PATIENCE_S, make=lambda route, rules: exit)
    opening = asyncio.ensure_future(ways.open(Target("example.org", 443, None)))
    while not exit.dialled:
        await asyncio.sleep(0)
    ways.change(_other(deny=(HostRule("*"),)))
    with pytest.raises(ProxyError, match="blocked"):
        await opening


@pytest.mark.parametrize(
    ("changes", "another"),
    [
        ({"exit": "two"}, True),
        ({"host": "192.0.2.2"}, True),
        ({"port": 1}, True),
        ({"scheme": "socks5"}, True),
        ({"username": "other"}, True),
        ({"kind": "none"}, True),
        ({"password": "renewed"}, False),
        ({"deny": (HostRule("*"),)}, False),
        ({"why": "a word"}, False),
    ],
)
def test_what_makes_it_another_exit(changes: dict[str, Any], another: bool) -> None:
    ways = Ways(ROUTE, Tally(), dial_s=5, make=lambda route, rules: Recorder())
    assert ways.change(_other(**changes)) is another


async def test_a_dial_has_a_deadline_of_its_own() -> None:
    exit = Recorder()
    exit.gate.clear()
    ways = Ways(ROUTE, Tally(), dial_s=0.05, make=lambda route, rules: exit)
    with pytest.raises(ProxyError) as raised:
        await ways.open(Target("example.org", 443, None))
    assert raised.value.cause == "timeout"


def _other(**changes: Any) -> ExitRoute:
    fields = {name: getattr(ROUTE, name) for name in ExitRoute.__dataclass_fields__}
    return ExitRoute(**{**fields, **changes})


async def test_a_second_change_in_the_same_moment_and_a_caller_that_leaves_break_nothing() -> None:
    exit = Recorder()
    exit.gate.clear()
    ways = Ways(ROUTE, Tally(), dial_s=PATIENCE_S, make=lambda route, rules: exit)
    opening = asyncio.ensure_future(ways.open(Target("example.org", 443, None)))
    while not exit.dialled:
        await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(ways.change, ROUTE)
    for _ in range(5):
        ways.change(ROUTE)
        await asyncio.sleep(0)
    ways.change(ROUTE)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(PATIENCE_S):
            await opening
