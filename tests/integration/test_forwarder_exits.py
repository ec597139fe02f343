"""The forwarder through Debian's own proxies: which address the far side sees, and what a guest is told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

import pytest

from tests.support.exit_lab import INSIDE, LOST, OTHER, WEB, ExitLab, exit_lab
from tests.support.forwarding import PATIENCE_S, forwarding
from transom_keeper import upstream
from transom_wire.exit import HostRule

pytestmark = pytest.mark.alone

KINDS = ["tinyproxy", "squid", "squid-tls", "dante"]


@pytest.fixture(scope="module")
def lab() -> Iterator[ExitLab]:
    with exit_lab([*KINDS, "dante"]) as made:
        yield made


@pytest.fixture(autouse=True)
def trusted(lab: ExitLab, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    monkeypatch.setenv("SSL_CERT_FILE", str(lab.ca))
    return ssl.create_default_context(cafile=str(lab.ca))


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_exit_carries_tunnels_and_plain_requests(
    lab: ExitLab, kind: str, trusted: ssl.SSLContext
) -> None:
    proxy = lab.proxy(kind)
    async with forwarding(proxy.route()) as guest:
        assert await guest.get_by_tls(f"{WEB}:443", "/ip", trusted) == proxy.address.encode() + b"\n"
        for _ in range(2):
            got = await guest.get(lab.far.url("/ip"), "Proxy-Authorization: Basic Z3Vlc3Q6aGFz")
            assert got.startswith(b"HTTP/1.1 200 ") and got.endswith(proxy.address.encode() + b"\n")
        assert guest.count("ok") == 3 and guest.count("dial_ms") > 0
    seen = lab.far.seen()[-1]
    assert not [name for name in seen["headers"] if name.startswith(("proxy-", "via", "x-forwarded"))]


@pytest.mark.parametrize("kind", KINDS)
async def test_names_are_looked_up_at_the_exit_and_addresses_of_version_6_work(
    lab: ExitLab, kind: str, trusted: ssl.SSLContext
) -> None:
    proxy = lab.proxy(kind)
    async with forwarding(proxy.route()) as guest:
        got = await guest.get(f"http://[{lab.far.address6}]:8080/ip")
        assert got.endswith(proxy.address6.encode() + b"\n")
        head, _ = await guest.tunnel(f"{LOST}:443")
        assert head.startswith(b"HTTP/1.1 502 ")
        assert guest.count("failed_no_way") == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_password_is_told_and_never_asked_of_the_guest(lab: ExitLab, kind: str) -> None:
    for wrong in (lab.proxy(kind).route(password="wrong"), lab.proxy(kind).route(username=None)):
        async with forwarding(wrong) as guest:
            head, _ = await guest.tunnel(f"{WEB}:443")
            plain = await guest.get(lab.far.url())
            assert head.startswith(b"HTTP/1.1 502 Exit refused our password\r\n")
            assert b"transom: The exit refused our name or password.\n" in plain
            assert b"407" not in head + plain and b"authenticate" not in (head + plain).lower()
            assert guest.count("failed_password") == 2


@pytest.mark.parametrize("kind", KINDS)
async def test_a_megabyte_comes_whole_and_is_counted(lab: ExitLab, kind: str) -> None:
    size = 3_000_000
    async with forwarding(lab.proxy(kind).route()) as guest:
        got = await guest.get(f"http://{WEB}:8080/bytes/{size}")
        assert len(got.partition(b"\r\n\r\n")[2]) == size
        assert guest.count("bytes_down") >= size
        sent = b"y" * 100_000
        head = f"POST http://{WEB}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(sent)}\r\n\r\n"
        assert b'"body": 100000' in await guest.ask(head.encode() + sent)
        assert guest.count("bytes_up") >= len(sent)


async def test_an_exit_that_is_down_is_told_and_is_back_when_it_is_back(lab: ExitLab) -> None:
    proxy = lab.proxy("tinyproxy")
    async with forwarding(proxy.route()) as guest:
        proxy.stop()
        try:
            head, _ = await guest.tunnel(f"{WEB}:443")
            page = await guest.get(lab.far.url("/ip"), "Accept: text/html,*/*")
        finally:
            proxy.start()
        assert head.startswith(b"HTTP/1.1 502 Exit is down\r\n")
        assert (
            b"text/html" in page
            and b"<p>The exit of this machine is down: it refuses connections.</p>" in page
        )
        assert guest.count("failed_down") == 2
        assert (await guest.get(lab.far.url("/ip"))).endswith(proxy.address.encode() + b"\n")


@pytest.mark.parametrize("kind", ["tinyproxy", "dante"])
async def test_an_exit_that_hangs_is_given_up(
    lab: ExitLab, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "ANSWER_S", 0.3)
    monkeypatch.setattr(upstream, "GREETING_S", 0.3)
    proxy = lab.proxy(kind)
    async with forwarding(proxy.route()) as guest:
        proxy.freeze()
        try:
            head, _ = await guest.tunnel(f"{WEB}:443")
        finally:
            proxy.freeze(False)
        assert head.startswith(b"HTTP/1.1 504 ")
        assert guest.count("failed_timeout") + guest.count("failed_silent") == 1


async def test_an_exit_that_vanishes_is_given_up(lab: ExitLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "CONNECT_S", 0.3)
    proxy = lab.proxy("squid")
    async with forwarding(proxy.route()) as guest:
        proxy.unplug()
        try:
            head, _ = await guest.tunnel(f"{WEB}:443")
        finally:
            proxy.unplug(False)
        assert head.startswith(b"HTTP/1.1 502 Exit is down\r\n")


async def test_a_certificate_that_is_not_the_exits_own_is_refused(
    lab: ExitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr(upstream, "GREETING_S", 0.5)
    before = len(lab.far.seen())
    async with forwarding(lab.proxy("squid-tls").route()) as guest:
        head, _ = await guest.tunnel(f"{WEB}:443")
        assert head.startswith(b"HTTP/1.1 502 Exit has a wrong certificate\r\n")
        assert guest.count("failed_certificate") == 1
    async with forwarding(lab.proxy("tinyproxy").route(scheme="https")) as guest:
        head, _ = await guest.tunnel(f"{WEB}:443")
        assert head.startswith(b"HTTP/1.1 504 Exit does not answer\r\n")
    assert len(lab.far.seen()) == before


async def test_another_exit_from_one_moment_to_the_next(lab: ExitLab, trusted: ssl.SSLContext) -> None:
    """Tunnels of the old one end, what is dialled anew leaves by the new one, counts are told in between."""
    old, new = lab.proxies[3], lab.proxies[4]
    told: list[int] = []
    async with forwarding(old.route()) as guest:
        head, (reader, writer) = await guest.tunnel(f"{WEB}:7")
        assert b" 200 " in head
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        guest.forwarder.change(new.route(), lambda: told.append(guest.count("bytes_up")))
        with_end = await asyncio.wait_for(asyncio.gather(reader.read(), return_exceptions=True), PATIENCE_S)
        assert not with_end[0] or isinstance(with_end[0], ConnectionError)
        assert told == [5] and guest.count("changes") == 1
        assert await guest.get_by_tls(f"{WEB}:443", "/ip", trusted) == new.address.encode() + b"\n"
        guest.forwarder.change(new.route(why="another word"))
        assert guest.count("changes") == 1


async def test_lists_hold_for_what_is_asked_and_for_what_is_open(lab: ExitLab) -> None:
    proxy = lab.proxy("dante")
    async with forwarding(
        proxy.route(allow=(HostRule("*.lab.example"),), deny=(HostRule(OTHER, 80),))
    ) as guest:
        assert b" 200 " in (await guest.get(lab.far.url("/ip")))
        refused = await guest.get(f"http://{OTHER}/")
        assert b"403 Not allowed here" in refused and b"on the list of what is blocked here" in refused
        assert b" 200 " in (await guest.tunnel(f"{OTHER}:443"))[0]
        elsewhere = await guest.get("http://elsewhere.example/")
        assert b"not on the list of what is allowed here" in elsewhere and b"lab.example" not in elsewhere
        _, (reader, _) = await guest.tunnel(f"{WEB}:7")
        guest.forwarder.change(proxy.route(deny=(HostRule(WEB),)))
        assert not await asyncio.wait_for(_rest(reader), PATIENCE_S)
        assert guest.count("changes") == 0 and guest.count("failed_rule") == 2


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_what_must_not_be_reached_never_leaves_the_host(lab: ExitLab) -> None:
    proxy = lab.proxy("dante")
    async with forwarding(proxy.route()) as guest:
        with lab.capture(proxy.node, "any") as packets:
            for authority in ("127.0.0.1:80", "10.9.8.7:80", "localhost:80", f"{proxy.host}:80"):
                head, _ = await guest.tunnel(authority)
                assert head.startswith(b"HTTP/1.1 403 ")
        assert not packets.lines("tcp or udp")
        head, _ = await guest.tunnel("rebound.lab.example:1080")
        assert head.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 502 "))
        assert (await guest.tunnel(f"{INSIDE}:80"))[0].startswith(b"HTTP/1.1 502 ")
