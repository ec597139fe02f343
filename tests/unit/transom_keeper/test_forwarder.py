"""The forwarder with real sockets: a guest on one side, a site on the other."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transom_keeper.forwarder import Forwarder
from transom_keeper.forwarder_exit import Way, connect_by_system
from transom_keeper.forwarder_guest import ForwarderLimits
from transom_keeper.proxy import MAX_HEAD, ProxyError, Target
from transom_wire.exit import NO_ROUTE, ExitRoute

PATIENCE_S = 10.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Site = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMITS = ForwarderLimits()


class SiteExit:
    """An exit on which every host is one site; `refused` ones are refused."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.dialled: list[tuple[str, int]] = []

    def close(self) -> None:
        pass

    async def dial(self, target: Target) -> Way:
        self.dialled.append((str(target.host), target.port))
        if "refused" in str(target.host):
            raise ProxyError(403, "address", f"{target.host} may not be reached.")
        return Way(await connect_by_system(*self.address))


class Bench:
    """What a test holds: the forwarder, and a guest's connections to it."""

    def __init__(self, forwarder: Forwarder, way: SiteExit, address: tuple[str, int]) -> None:
        self.forwarder, self.way, self.address = forwarder, way, address
        self.writers: list[asyncio.StreamWriter] = []

    async def guest(self) -> Streams:
        reader, writer = await asyncio.open_connection(*self.address)
        self.writers.append(writer)
        return reader, writer

    async def ask(self, request: bytes) -> bytes:
        """Everything the guest gets until the connection closes."""
        reader, writer = await self.guest()
        writer.write(request)
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()

    def count(self, name: str) -> int:
        return int(self.forwarder.counters().get(name, "0"))

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not seen():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def bench(site: Site | None = None, **limits: Any) -> AsyncIterator[Bench]:
    """A forwarder before `site`, which answers each connection; without one the exit is `none`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if site is not None:
                await site(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    way = SiteExit(server.sockets[0].getsockname())
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    address = listener.getsockname()
    told = ExitRoute(kind="upstream", exit="one") if site else NO_ROUTE
    make = {"make": lambda route, rules: way} if site else {}
    forwarder = Forwarder(listener, told, limits=replace(LIMITS, **limits), **make)  # type: ignore[arg-type]
    await forwarder.start()
    made = Bench(forwarder, way, address)
    try:
        yield made
    finally:
        await forwarder.close()
        for writer in made.writers:
            writer.close()
        server.close()


async def head_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        return await reader.readuntil(b"\r\n\r\n")


def answering(answer: bytes) -> Site:
    """A site that reads a request's head and says `answer`."""

    async def site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return site


async def telling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A site that answers with the request it got."""
    head = await reader.readuntil(b"\r\n\r\n")
    body = b""
    if b"transfer-encoding: chunked" in head.lower():
        body = await reader.readuntil(b"0\r\n\r\n")
    elif b"content-length: " in head.lower():
        body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    told = head + body
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told) + told)
    await writer.drain()


async def echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b"-- end")
    await writer.drain()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    "request_line", [b"GET http://site.example/ HTTP/1.1", b"CONNECT site.example:443 HTTP/1.1"]
)
async def test_without_an_exit_a_page_names_the_cause(request_line: bytes) -> None:
    async with bench() as b:
        got = await b.ask(request_line + b"\r\nHost: site.example\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 403 ")
        assert got.endswith(b"transom: This machine has no way out to the internet.\n")
        assert b.count("failed_no_exit") == 1


async def test_a_plain_request_goes_out_as_the_site_expects_it() -> None:
    async with bench(telling) as b:
        got = await b.ask(
            b"GET http://Site.example:8080/a?b HTTP/1.1\r\nHost: other.example\r\n"
            b"Proxy-Authorization: Basic c2VjcmV0\r\nProxy-Connection: keep-alive\r\n"
            b"Connection: close\r\nCookie: c=1\r\n\r\n"
        )
        head, told = got.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert told.startswith(b"GET /a?b HTTP/1.1\r\nHost: site.example:8080\r\n")
        assert b"cookie: c=1" in told and b"proxy" not in told.lower()
        assert b.way.dialled == [("site.example", 8080)]


async def test_each_request_of_a_kept_connection_is_judged() -> None:
    async with bench(telling) as b:
        reader, writer = await b.guest()
        for name in (b"one", b"two"):
            writer.write(b"GET http://%b.example/ HTTP/1.1\r\nHost: x\r\n\r\n" % name)
            head = await head_of(reader)
            told = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            assert b"Host: %b.example\r\n" % name in told
        writer.write(b"GET http://refused.example/ HTTP/1.1\r\nHost: one.example\r\n\r\n")
        assert (await head_of(reader)).startswith(b"HTTP/1.1 403 ")
        assert [host for host, _ in b.way.dialled] == ["one.example", "two.example", "refused.example"]
        assert b.count("requests") == 3


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with bench(answering(OK)) as b:
        requests = b"".join(b"GET http://n%d.example/ HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(3))
        got = await b.ask(requests + b"GET /own HTTP/1.1\r\nHost: x\r\n\r\n")
        assert got.count(b"HTTP/1.1 200 OK") == 3
        assert got.count(b"HTTP/1.1 400 ") == 1
        assert [host for host, _ in b.way.dialled] == ["n0.example", "n1.example", "n2.example"]


@pytest.mark.parametrize(
    ("headers", "body", "told_body"),
    [
        (b"Content-Length: 5", b"hello", b"hello"),
        (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        (
            b"Transfer-Encoding: chunked\r\nContent-Length: 99",
            b"5\r\nhello\r\n0\r\n\r\n",
            b"5\r\nhello\r\n0\r\n\r\n",
        ),
    ],
)
async def test_bodies_go_out(headers: bytes, body: bytes, told_body: bytes) -> None:
    async with bench(telling) as b:
        got = await b.ask(
            b"POST http://site.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + headers
            + b"\r\n\r\n"
            + body
        )
        told = got.split(b"\r\n\r\n", 1)[1]
        assert told.endswith(b"\r\n\r\n" + told_body)
        assert b"99" not in told
        assert b.count("bytes_up") == 5


async def test_a_guest_that_waits_for_100_continue_gets_it() -> None:
    async with bench(telling) as b:
        reader, writer = await b.guest()
        writer.write(
            b"POST http://site.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await head_of(reader)).startswith(b"HTTP/1.1 100 ")
        writer.write(b"hi")
        assert (await head_of(reader)).startswith(b"HTTP/1.1 200 ")


async def test_interim_responses_end_here() -> None:
    async with bench(answering(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK)) as b:
        got = await b.ask(b"GET http://site.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"3\r\nabc\r\n0\r\n\r\n",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\nabc", b"3\r\nabc\r\n0\r\n\r\n"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", b""),
    ],
)
async def test_bodies_come_back_however_the_site_frames_them(answer: bytes, body: bytes) -> None:
    async with bench(answering(answer)) as b:
        got = await b.ask(b"GET http://site.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert got.split(b"\r\n\r\n", 1)[1] == body


async def test_a_head_request_has_no_body_and_the_connection_lives_on() -> None:
    async with bench(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")) as b:
        reader, writer = await b.guest()
        for _ in range(2):
            writer.write(b"HEAD http://site.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"content-length: 500" in (await head_of(reader)).lower()
        writer.write(b"HEAD http://refused.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
        got = await reader.read()
        assert got.startswith(b"HTTP/1.1 403 ") and got.endswith(b"\r\n\r\n")


async def test_a_guest_never_sees_a_407() -> None:
    asking = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
    async with bench(answering(asking)) as b:
        got = await b.ask(b"GET http://site.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 502 ")
        assert b"407" not in got and b"authenticate" not in got.lower()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * MAX_HEAD * 2,
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    ],
    ids=range(6),
)
async def test_a_site_without_a_proper_answer_gets_a_502(answer: bytes) -> None:
    async with bench(answering(answer)) as b:
        got = await b.ask(b"GET http://site.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 502 ")
        assert b.count("failed_site") == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    ],
)
async def test_a_response_that_breaks_off_is_seen_to_break_off(answer: bytes) -> None:
    async with bench(answering(answer)) as b:
        reader, writer = await b.guest()
        writer.write(b"GET http://site.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await head_of(reader)).startswith(b"HTTP/1.1 200 ")
        try:
            async with asyncio.timeout(PATIENCE_S):
                rest = await reader.read()
        except ConnectionResetError:
            rest = b""
        assert not rest.endswith(b"0\r\n\r\n") and len(rest) < 10
        assert b.count("failed_broken") == 1


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET https://site.example/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"CONNECT site.example HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"CONNECT site.example:443 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi", 400),
        (b"GET http://site.example/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://site.example/ HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET http://site.example/ HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n", 400),
        (b"GET http://site.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET http://site.example/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"\x05\x01\x00\r\n\r\n", 400),
        (b"GET http://site.example/ HTTP/1.1\r\nX: " + b"x" * MAX_HEAD * 2, 431),
    ],
)
async def test_bad_requests_get_a_page_and_nobody_is_dialled(request_bytes: bytes, status: int) -> None:
    async with bench(telling) as b:
        got = await b.ask(request_bytes)
        assert got.startswith(b"HTTP/1.1 %d " % status)
        assert b"\r\n\r\ntransom: " in got
        assert b.count("failed_request") == 1
        assert b.count("bytes_up") == 0


async def connected(b: Bench, early: bytes = b"") -> Streams:
    reader, writer = await b.guest()
    writer.write(b"CONNECT site.example:443 HTTP/1.1\r\nHost: site.example:443\r\n\r\n" + early)
    assert await head_of(reader) == b"HTTP/1.1 200 Connection established\r\n\r\n"
    return reader, writer


async def test_a_tunnel_carries_bytes_both_ways_and_closes_one_way_at_a_time() -> None:
    async with bench(echoing) as b:
        reader, writer = await connected(b, b"early ")
        writer.write(b"later")
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.readexactly(11) == b"early later"
            writer.write_eof()
            assert await reader.read() == b"-- end"
        assert (b.count("tunnels"), b.count("bytes_up"), b.count("bytes_down")) == (1, 11, 17)
        await b.until(lambda: b.count("open") == 0)


async def test_a_tunnel_is_not_read_as_http() -> None:
    async with bench(echoing) as b:
        reader, writer = await connected(b)
        sent = b"GET http://other.example/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: x\r\n\r\n"
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        assert len(b.way.dialled) == 1


async def test_a_refused_tunnel_says_why() -> None:
    async with bench(echoing) as b:
        got = await b.ask(b"CONNECT refused.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 403 ") and b"may not be reached" in got
        assert b.count("failed_address") == 1


async def test_much_passes_whole_and_a_slow_reader_holds_its_sender_back() -> None:
    size, written = 16 * 2**20, 0

    async def site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        for _ in range(size // 65536):
            writer.write(bytes(65536))
            await writer.drain()
            written += 65536
        writer.write_eof()
        await reader.read()

    async with bench(site) as b:
        reader, writer = await connected(b)
        before = -1
        while before != written:
            before = written
            await asyncio.sleep(0.2)
        assert 0 < written < size, "nobody reads, and yet the site could send it all"
        got = 0
        async with asyncio.timeout(PATIENCE_S):
            while data := await reader.read(2**20):
                got += len(data)
        assert got == size
        writer.close()


async def test_an_idle_tunnel_ends() -> None:
    async with bench(echoing, tunnel_idle_s=0.05) as b:
        reader, _ = await connected(b)
        with_end = asyncio.ensure_future(reader.read())
        await b.until(lambda: b.count("open") == 0)
        await asyncio.gather(with_end, return_exceptions=True)
        assert b.count("tunnels_idle") == 1


async def test_a_half_closed_tunnel_ends_when_the_other_half_idles() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        await asyncio.Event().wait()

    async with bench(silent, half_closed_s=0.05) as b:
        _, writer = await connected(b)
        writer.write_eof()
        await b.until(lambda: b.count("open") == 0)


async def test_a_site_that_resets_ends_the_tunnel() -> None:
    async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        # With a linger of zero seconds, close is a reset.
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )

    async with bench(resetting) as b:
        _, writer = await connected(b)
        writer.write(b"x")
        await b.until(lambda: b.count("open") == 0)
        assert b.count("tunnels_broken") == 1


async def test_a_guest_that_dribbles_its_head_is_cut_off() -> None:
    async with bench(telling, head_s=0.05) as b:
        assert await b.ask(b"GET http://site.exa") == b""


async def test_a_site_that_never_answers_gets_a_504() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with bench(silent, response_s=0.05) as b:
        got = await b.ask(b"GET http://site.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 504 ")


async def test_an_exit_that_hangs_gets_a_504() -> None:
    async with bench(telling, dial_s=0.05) as b:
        b.way.dial = lambda target: asyncio.Event().wait()  # type: ignore[assignment,method-assign]
        got = await b.ask(b"CONNECT site.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 504 ")


async def test_a_guest_that_leaves_in_the_middle_of_a_body_frees_the_site() -> None:
    left = asyncio.Event()

    async def site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            left.set()

    async with bench(site) as b:
        _, writer = await b.guest()
        writer.write(b"POST http://site.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
        await b.until(lambda: b.count("bytes_up") == 3)
        writer.close()
        async with asyncio.timeout(PATIENCE_S):
            await left.wait()
        await b.until(lambda: b.count("open") == 0)


async def test_a_site_may_answer_before_it_has_read_the_body() -> None:
    async with bench(answering(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")) as b:
        got = await b.ask(b"POST http://site.example/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
        assert got.startswith(b"HTTP/1.1 413 ")


async def test_over_the_limit_a_new_connection_waits_until_another_ends() -> None:
    async with bench(echoing, connections=2) as b:
        first, second = await connected(b), await connected(b)
        third = asyncio.ensure_future(connected(b))
        first[1].write(b"still")
        assert await first[0].readexactly(5) == b"still"
        assert not third.done() and b.count("open") == 2
        second[1].close()
        third_reader, third_writer = await asyncio.wait_for(third, PATIENCE_S)
        third_writer.write(b"now")
        assert await third_reader.readexactly(3) == b"now"


async def test_over_the_limit_an_idle_connection_gives_way_and_a_busy_one_does_not() -> None:
    async with bench(echoing, connections=2) as b:
        busy, (idle, _) = await connected(b), await b.guest()
        await b.until(lambda: b.count("open") == 2)
        await connected(b)
        assert await asyncio.wait_for(idle.read(), PATIENCE_S) == b""
        busy[1].write(b"still")
        assert await busy[0].readexactly(5) == b"still"


async def test_a_connection_that_falls_idle_gives_way_to_one_that_waits() -> None:
    gate = asyncio.Event()

    async def site(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await gate.wait()
        writer.write(OK)

    async with bench(site, connections=1) as b:
        reader, writer = await b.guest()
        writer.write(b"GET http://a.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
        await b.until(lambda: b.count("requests") == 1)
        waiting = asyncio.ensure_future(b.ask(b"GET http://b.example/ HTTP/1.0\r\nHost: x\r\n\r\n"))
        gate.set()
        assert (await asyncio.wait_for(reader.read(), PATIENCE_S)).startswith(b"HTTP/1.1 200 ")
        assert (await waiting).startswith(b"HTTP/1.1 200 ")


async def test_a_connection_carries_so_many_requests_and_no_more() -> None:
    async with bench(answering(OK), requests=2) as b:
        got = await b.ask(b"GET http://site.example/ HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
        assert got.count(b"HTTP/1.1 200 OK") == 2


async def test_close_ends_every_connection_and_may_be_repeated() -> None:
    async with bench(echoing) as b:
        reader, _ = await connected(b)
        await b.forwarder.close()
        with_end = await asyncio.gather(reader.read(), return_exceptions=True)
        assert not with_end[0] or isinstance(with_end[0], ConnectionError)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*b.address)
        await b.forwarder.close()
        assert b.count("open") == 0


def test_any_bytes_end_without_a_dial_or_a_crash() -> None:
    @given(
        st.lists(st.binary(max_size=60) | st.sampled_from([b"GET ", b"http://", b" HTTP/1.1\r\n", b"\r\n"]))
    )
    @settings(max_examples=60, deadline=None)
    def survives(pieces: list[bytes]) -> None:
        async def run() -> None:
            async with bench(telling, head_s=0.2) as b:
                reader, writer = await b.guest()
                writer.write(b"".join(pieces))
                writer.write_eof()
                async with asyncio.timeout(PATIENCE_S):
                    await asyncio.gather(reader.read(), return_exceptions=True)
                await b.until(lambda: b.count("open") == 0)

        asyncio.run(run())

    survives()
