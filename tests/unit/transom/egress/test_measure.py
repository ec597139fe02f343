"""What strangers' bytes do to a measurement: it ends in words of ours, whatever the exit says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from transom.egress.measure import NotMeasured, through
from transom.model.exit import Upstream

ECHO = "http://203.0.113.200:8080/"


@asynccontextmanager
async def saying(answer: bytes) -> AsyncIterator[int]:
    """A server that says this to whoever says anything, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x05",
        b"\x05\x02",
        b"\x05\xff",
        b"\x04\x00",
        b"\x05\x02\x01\x00\x05\x00\x00\x09",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nnot an address",
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"1" * 100_000,
        bytes(range(256)) * 4,
    ],
    ids=range(12),
)
async def test_garbage_is_no_measurement_and_is_not_quoted(scheme: str, answer: bytes) -> None:
    async with saying(answer) as port:
        upstream = Upstream(scheme, "127.0.0.1", port, "user-name", "secret-word")
        for echo in (ECHO, "https://203.0.113.200/"):
            with pytest.raises(NotMeasured) as failed:
                await through(upstream, echo)
            assert "secret" not in str(failed.value) and "169.254" not in str(failed.value)


async def test_a_closed_port_is_the_exit_s_own_fault_and_a_broken_way_behind_it_is_not() -> None:
    async with saying(b"HTTP/1.1 200 Connection established\r\n\r\n") as port:
        upstream = Upstream("http", "127.0.0.1", port)
        with pytest.raises(NotMeasured) as behind:
            await through(upstream, "https://203.0.113.200/")
    assert not behind.value.own
    with pytest.raises(NotMeasured) as closed:
        await through(upstream, ECHO)
    assert closed.value.own and "cannot be reached" in str(closed.value)
