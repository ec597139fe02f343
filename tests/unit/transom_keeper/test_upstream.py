"""Upstreams that do all they can to harm: each ends in one page, in time, counted by its cause."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.exit_certificates import Authority
from tests.support.forwarding import PATIENCE_S, Guest, forwarding
from transom_keeper import upstream
from transom_keeper.proxy import ProxyError, Target
from transom_keeper.upstream import UpstreamExit
from transom_wire.exit import ExitRoute

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes deadlines short, where a test waits for one."""

    def shorten() -> None:
        monkeypatch.setattr(upstream, "GREETING_S", 0.3)
        monkeypatch.setattr(upstream, "ANSWER_S", 0.3)

    return shorten


class Proxy:
    """A proxy that is `serve`; `asked` are the heads it got."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[bytes] = []

    def route(self, scheme: str = "http", host: str = "127.0.0.1") -> ExitRoute:
        return ExitRoute(
            "upstream", exit="e", scheme=scheme, host=host, port=self.port, username="user", password="hidden"
        )


@asynccontextmanager
async def proxy(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls)
    yield Proxy(server.sockets[0].getsockname()[1])
    server.close()


def saying(*answers: bytes) -> Serve:
    """Each head is answered by the next of `answers`, the last again and again; then it closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(HEAD)
            writer.write(answer)
            await writer.drain()

    return serve


def without_a_word_after(data: bytes, steps: int = 1) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for place in range(steps):
            await reader.read(1000)
            writer.write(data[place : place + 1] if steps > 1 else data)
        await asyncio.Event().wait()

    return serve


def drip(data: bytes) -> Serve:
    """A slow loris: a byte each 50 ms."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        for place in range(len(data)):
            writer.write(data[place : place + 1])
            await writer.drain()
            await asyncio.sleep(0.05)

    return serve


async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """100 MB of headers."""
    await reader.readuntil(HEAD)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(1600):
        writer.write(b"X: " + b"x" * 65_000 + b"\r\n")
        await writer.drain()


async def at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def unasked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers before it was asked, then something else."""
    writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n" + OK)
    await reader.read()


def socks(*replies: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            await reader.read(1000)
            writer.write(reply)
        await reader.read(1000)

    return serve


HOSTILE = [
    ("http", saying(b"garbage\r\n\r\n"), "garbled"),
    ("http", saying(b""), "garbled"),
    ("http", saying(b"HTTP/1.1 200"), "garbled"),
    ("http", at_once, "garbled"),
    ("http", flooding, "garbled"),
    ("http", without_a_word_after(b""), "timeout"),
    ("http", without_a_word_after(b"HTTP/1.1 200 OK\r\nX: "), "timeout"),
    (
        "http",
        saying(b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"),
        "password",
    ),
    ("http", unasked, "password"),
    ("http", saying(b"HTTP/1.1 302 F\r\nLocation: http://169.254.169.254/\r\n\r\n"), "garbled"),
    ("http", saying(b"HTTP/1.1 402 Pay\r\n\r\n"), "quota"),
    ("http", saying(b"HTTP/1.1 403 No\r\n\r\n"), "barred"),
    ("http", saying(b"HTTP/1.1 503 Busy\r\n\r\n"), "no_way"),
    ("http", saying(b"HTTP/1.1 100 Go on\r\n\r\n" * 50), "garbled"),
    ("socks5", socks(b"HTTP/1.1 400 Bad\r\n\r\n"), "garbled"),
    ("socks5", socks(b"\x05\xff"), "password"),
    ("socks5", socks(b"\x05\x02", b"\x01\x01"), "password"),
    ("socks5", socks(b"\x05\x02", b"\x01\x00", b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"), "no_way"),
    ("socks5", socks(b"\x05\x02", b"\x01\x00", b"\x05\x02"), "barred"),
    ("socks5", socks(b"\x05\x02", b"\x01\x00", b"x" * 5000), "garbled"),
    ("socks5", without_a_word_after(b""), "silent"),
    ("socks5", without_a_word_after(b"\x05\x02"), "silent"),
    ("socks5", without_a_word_after(b"\x05", 1), "silent"),
    ("socks5", at_once, "garbled"),
    ("https", saying(b"HTTP/1.1 200 OK\r\n\r\n"), "silent"),
    ("https", at_once, "garbled"),
    ("https", without_a_word_after(b"HTTP/1.1 400 Bad\r\n\r\n"), "garbled"),
]


@pytest.mark.parametrize(("scheme", "serve", "cause"), HOSTILE, ids=range(len(HOSTILE)))
async def test_whatever_it_does_the_guest_is_told_in_time(
    scheme: str, serve: Serve, cause: str, hurry: Callable[[], None]
) -> None:
    if cause in ("silent", "timeout"):
        hurry()
    async with proxy(serve) as hostile, forwarding(hostile.route(scheme)) as guest:
        async with asyncio.timeout(PATIENCE_S):
            head, (reader, _) = await guest.tunnel("site.example:443")
            page = await reader.read()
        assert head.startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 504 "))
        assert page.startswith(b"transom: The exit ")
        for word in (b"hidden", b"user", b"407", b"169.254", b"authenticate"):
            assert word not in (head + page).lower()
        assert {n for n in guest.forwarder.counters() if n.startswith("failed")} == {f"failed_{cause}"}
        assert guest.count("ok") == 0


async def test_a_slow_loris_has_an_answers_time_and_no_more(hurry: Callable[[], None]) -> None:
    hurry()
    async with proxy(drip(OK[:-1] + b"X: y\r\n" * 100)) as hostile, forwarding(hostile.route()) as guest:
        async with asyncio.timeout(PATIENCE_S):
            head, _ = await guest.tunnel("site.example:443")
        assert head.startswith(b"HTTP/1.1 504 ") and guest.count("failed_timeout") == 1


async def test_an_upstream_that_hangs_slows_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "ANSWER_S", 3.0)
    async with (
        proxy(without_a_word_after(b"")) as hostile,
        forwarding(hostile.route()) as stuck,
        proxy(saying(OK)) as fine,
        forwarding(fine.route()) as guest,
    ):
        waiting = [asyncio.ensure_future(stuck.tunnel("site.example:443")) for _ in range(20)]
        async with asyncio.timeout(PATIENCE_S):
            head, _ = await guest.tunnel("site.example:443")
        assert b" 200 " in head and not any(each.done() for each in waiting)
        await asyncio.gather(*waiting)


async def test_an_upstream_that_is_not_there() -> None:
    async with proxy(at_once) as gone:
        route = gone.route()
    async with forwarding(route) as guest:
        head, _ = await guest.tunnel("site.example:443")
        assert head.startswith(b"HTTP/1.1 502 Exit is down\r\n")
    lost = ExitRoute("upstream", exit="e", scheme="http", host="no.such.name.invalid", port=1)
    async with forwarding(lost) as guest:
        head, _ = await guest.tunnel("site.example:443")
        assert head.startswith(b"HTTP/1.1 502 Exit is down\r\n")


async def test_the_sites_first_words_may_come_with_the_answer() -> None:
    async with proxy(saying(OK + b"220 mail\r\n")) as early, forwarding(early.route()) as guest:
        _, (reader, _) = await guest.tunnel("site.example:25")
        assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b"220 mail\r\n"
        assert guest.count("bytes_down") == 10


PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nProxy-Status: x\r\nConnection: close\r\n\r\npage"


def recording(*answers: bytes) -> tuple[Serve, list[bytes]]:
    """One answer a connection, in turn; and the heads that were asked, of tunnels' insides too."""
    heads: list[bytes] = []
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(HEAD))
        answer = left.pop(0) if len(left) > 1 else left[0]
        writer.write(answer)
        if answer == OK:
            heads.append(await reader.readuntil(HEAD))
            writer.write(PAGE)

    return serve, heads


async def test_a_plain_request_goes_by_a_tunnel_where_there_is_one() -> None:
    serve, heads = recording(OK)
    async with proxy(serve) as willing, forwarding(willing.route()) as guest:
        got = await guest.get("http://site.example/a")
        assert got.startswith(b"HTTP/1.1 200 OK") and got.endswith(b"page")
    assert heads[0].startswith(b"CONNECT site.example:80 ") and b"Proxy-Authorization: Basic " in heads[0]
    assert heads[1].startswith(b"GET /a HTTP/1.1\r\n") and b"proxy" not in heads[1].lower()


@pytest.mark.parametrize("refusal", [b"HTTP/1.1 403 No\r\n\r\n", b"HTTP/1.1 405 No\r\n\r\n", b""])
async def test_a_plain_request_goes_by_its_whole_address_where_there_is_none(refusal: bytes) -> None:
    serve, heads = recording(refusal, PAGE)
    async with proxy(serve) as choosy, forwarding(choosy.route()) as guest:
        for path in ("/a?b", "/c"):
            got = await guest.get(f"http://site.example:80{path}", "Proxy-Authorization: Basic Z3Vlc3Q=")
            assert got.endswith(b"page") and b"proxy" not in got.lower()
        assert guest.count("ok") == 2
    assert [head.split(b" HTTP")[0] for head in heads] == [
        b"CONNECT site.example:80",
        b"GET http://site.example/a?b",
        b"GET http://site.example/c",
    ]
    assert all(head.count(b"Proxy-Authorization: Basic dXNlcjpoaWRkZW4=") == 1 for head in heads)


async def test_a_407_to_a_whole_address_is_the_exits_and_never_the_guests() -> None:
    serve, _ = recording(
        b"HTTP/1.1 403 No\r\n\r\n", b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\n\r\n"
    )
    async with proxy(serve) as asking, forwarding(asking.route()) as guest:
        for _ in range(3):
            got = await guest.get("http://site.example/")
            assert got.startswith(b"HTTP/1.1 502 Exit refused our password\r\n") and b"407" not in got
        assert guest.count("failed_password") == 3


async def test_a_wrong_password_is_no_reason_to_try_another_way() -> None:
    serve, heads = recording(b"HTTP/1.1 407 Auth\r\n\r\n", PAGE)
    async with proxy(serve) as asking, forwarding(asking.route()) as guest:
        assert (await guest.get("http://site.example/")).startswith(b"HTTP/1.1 502 ")
    assert len(heads) == 1


async def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: list[str]) -> ssl.SSLContext:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("proxy", hosts))
    return context


async def test_tls_to_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"x" * 2_000_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
    serve, _ = recording(b"HTTP/1.1 403 No\r\n\r\n", answer)
    tls = await trusting(tmp_path, monkeypatch, ["127.0.0.1"])
    async with proxy(serve, tls) as secure, forwarding(secure.route("https")) as guest:
        for _ in range(3):
            assert (await guest.get("http://site.example/")).endswith(HEAD + body)


@pytest.mark.parametrize("hosts", [["other.example"], ["127.0.0.2"]])
async def test_a_certificate_of_somebody_else_is_refused_before_a_password_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: list[str]
) -> None:
    serve, heads = recording(OK)
    tls = await trusting(tmp_path, monkeypatch, hosts)
    async with proxy(serve, tls) as other, forwarding(other.route("https")) as guest:
        head, _ = await guest.tunnel("site.example:443")
        assert head.startswith(b"HTTP/1.1 502 Exit has a wrong certificate\r\n")
        assert guest.count("failed_certificate") == 1
    assert not heads


async def test_a_name_is_looked_up_once_in_a_while_and_anew_when_nobody_answers() -> None:
    asked: list[str] = []

    async def resolve(name: str, port: int) -> list[str]:
        asked.append(name)
        return ["127.0.0.1"]

    target = Target("site.example", 443, None)
    async with proxy(saying(OK)) as fine:
        way = UpstreamExit(fine.route(host="proxy.example"), resolve=resolve)
        for _ in range(3):
            (await way.dial(target)).leg.abort()
        assert asked == ["proxy.example"]
        way.close()
    for _ in range(2):
        with pytest.raises(ProxyError):
            await way.dial(target)
    assert len(asked) == 2


def test_a_route_without_an_address_is_no_upstream() -> None:
    with pytest.raises(ValueError, match="scheme"):
        UpstreamExit(ExitRoute("upstream", exit="e"))


async def test_a_guest_that_leaves_while_its_exit_is_dialled_leaves_nothing_open(
    hurry: Callable[[], None],
) -> None:
    hurry()
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        closed.set()

    async with proxy(serve) as slow, forwarding(slow.route()) as guest:
        await _leave_at_once(guest)
        async with asyncio.timeout(PATIENCE_S):
            await closed.wait()


async def _leave_at_once(guest: Guest) -> None:
    _, writer = await guest.connect()
    writer.write(b"CONNECT site.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
    writer.close()
