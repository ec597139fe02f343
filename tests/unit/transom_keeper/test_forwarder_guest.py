"""Requests that two readers would read differently: a site sees one request for each, or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.support.forwarding import PATIENCE_S, Guest, forwarding
from transom_keeper.forwarder_exit import Way, connect_by_system
from transom_keeper.forwarder_guest import ForwarderLimits
from transom_keeper.proxy import Target
from transom_wire.exit import ExitRoute, HostRule

ROUTE = ExitRoute("upstream", exit="one", scheme="http", host="192.0.2.1", port=1)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Site:
    """Every host. `got` is what each connection brought."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.got: list[bytes] = []

    def close(self) -> None:
        pass

    async def dial(self, target: Target) -> Way:
        return Way(await connect_by_system(*self.address))


@asynccontextmanager
async def site(answer: bytes = OK, **limits: float) -> AsyncIterator[tuple[Site, Guest]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(made.got)
        made.got.append(b"")
        try:
            while data := await reader.read(65536):
                made.got[place] += data
                if b"\r\n\r\n" in made.got[place]:
                    writer.write(answer)
                    answer_sent.set()
        except OSError:
            pass
        finally:
            writer.close()

    answer_sent = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made = Site(server.sockets[0].getsockname())
    own = ForwarderLimits(**{"head_s": 2.0, **limits})  # type: ignore[arg-type]
    async with forwarding(ROUTE, make=lambda route, rules: made, limits=own) as guest:
        yield made, guest
    server.close()


SECOND = b"GET http://second.example/ HTTP/1.1\r\nHost: second.example\r\n\r\n"
AMBIGUOUS = [
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SECOND),
    b"Content-Length: 0, %d\r\n\r\n" % len(SECOND),
    b"Content-Length: +5\r\n\r\nhello",
    b"Content-Length: 0x5\r\n\r\nhello",
    b"Content-Length: 5 5\r\n\r\nhello",
    b"Content-Length:\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n",
    b"X: y\nTransfer-Encoding: chunked\r\n\r\n",
    b"X: y\rTransfer-Encoding: chunked\r\n\r\n",
    b"X: \x00\r\n\r\n",
    b"Connection: Content-Length\r\nContent-Length: 0\r\n\r\n",
    b"Connection: Host, Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0;x=\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n00000000000000000000000\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    b"Host: second.example\r\n\r\n",
    b"Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\nProxy-Foo: y\r\n\r\n",
]


@pytest.mark.parametrize("rest", AMBIGUOUS, ids=range(len(AMBIGUOUS)))
async def test_no_request_hides_in_another(rest: bytes) -> None:
    async with site() as (seen, guest):
        guest.forwarder.change(
            ExitRoute(
                "upstream",
                exit="one",
                scheme="http",
                host="192.0.2.1",
                port=1,
                deny=(HostRule("second.example"),),
            )
        )
        first = b"POST http://first.example/ HTTP/1.1\r\nHost: first.example\r\n" + rest
        await guest.ask(first + SECOND + b"GARBAGE\r\n\r\n")
        for got in seen.got:
            assert got.count(b" HTTP/1.1\r\n") == 1 and b"second.example" not in got
            head = got.partition(b"\r\n\r\n")[0].lower()
            assert head.count(b"content-length") + head.count(b"transfer-encoding") <= 1
            assert b"\nproxy-" not in head and b"\nupgrade" not in head and head.count(b"host:") == 1


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"G",
        b"GET http://a.example/ HTTP/1.1\r\n",
        b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nX: ",
    ],
)
async def test_half_a_request_does_not_stay_for_an_hour(half: bytes) -> None:
    async with site(head_s=0.2) as (seen, guest):
        reader, writer = await guest.connect()
        writer.write(half)
        for _ in range(20):
            await asyncio.sleep(0.03)
            writer.write(b"x")
            if reader.at_eof():
                break
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), PATIENCE_S)
        assert not seen.got


async def test_half_a_body_does_not_either() -> None:
    async with site(answer=b"", body_s=0.2, response_s=0.5) as (seen, guest):
        got = await guest.ask(
            b"POST http://a.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
        )
        assert not got or got.startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 504 "))
        assert len(seen.got) == 1


async def test_a_browser_gets_a_page_and_a_program_gets_a_line() -> None:
    async with site() as (_, guest):
        page = await guest.get("http://127.0.0.1/", "Accept: text/html,application/xhtml+xml")
        line = await guest.get("http://127.0.0.1/", "Accept: */*")
        assert b"Content-Type: text/html" in page and b"<h1>Not reached</h1>" in page
        assert b"Content-Type: text/plain" in line and b"<" not in line.partition(b"\r\n\r\n")[2]


async def test_a_response_in_the_middle_ends_with_its_exit_and_one_not_begun_gets_a_page() -> None:
    two = ExitRoute("upstream", exit="two", scheme="http", host="192.0.2.2", port=1)
    async with site(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun") as (_, guest):
        reader, writer = await guest.connect()
        writer.write(b"GET http://a.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"begun"), PATIENCE_S)).startswith(b"HTTP/1.1 200 ")
        guest.forwarder.change(two)
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
        assert guest.count("failed_moved") == 1 and guest.count("bytes_down") == 5
    async with site(b"") as (seen, guest):
        asking = asyncio.ensure_future(guest.get("http://a.example/"))
        async with asyncio.timeout(PATIENCE_S):
            while not seen.got or not seen.got[0]:
                await asyncio.sleep(0.005)
        guest.forwarder.change(two)
        assert (await asking).startswith(b"HTTP/1.1 503 The way out has changed\r\n")


async def test_an_idle_kept_connection_lives_through_a_change() -> None:
    async with site() as (_, guest):
        reader, writer = await guest.connect()
        for exit in ("two", "three"):
            writer.write(b"GET http://a.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await asyncio.wait_for(reader.readuntil(b"ok"), PATIENCE_S)
            guest.forwarder.change(ExitRoute("upstream", exit=exit, scheme="http", host="192.0.2.1", port=1))
        assert guest.count("changes") == 2 and guest.count("connections") == 1
