from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transom.egress.answer import read_address
from transom.egress.echo import REMEMBERED, Budget, Echo, answer, caller, start
from transom.egress.measure import direct


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = await start("127.0.0.1", 0, Echo(Budget(20), at_once=4))
    yield server.sockets[0].getsockname()[1]
    server.close()


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(15):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_it_answers_with_the_caller_s_address(port: int) -> None:
    text = await ask(port, b"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
    assert text.endswith(b"\r\n\r\n127.0.0.1\n")
    as_json = await ask(port, b"GET / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n")
    assert json.loads(as_json.partition(b"\r\n\r\n")[2]) == {"ip": "127.0.0.1"}
    head = await ask(port, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and head.endswith(b"\r\n\r\n")


async def test_the_server_s_own_question_is_answered(port: int) -> None:
    with pytest.raises(Exception, match="nobody leaves by"):
        await direct(f"http://127.0.0.1:{port}/")  # it says loopback, which is no address to leave by


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"200"),
        (b"GET /admin HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"\x16\x03\x01 nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"b" * 20_000 + b"\r\n\r\n", b"400"),
    ],
)
async def test_what_else_is_asked(port: int, request_: bytes, status: bytes) -> None:
    assert (await ask(port, request_)).split(b" ")[1] == status


async def test_who_asks_too_often_waits(port: int) -> None:
    answers = [await ask(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(22)]
    assert [each.split(b" ")[1] for each in answers].count(b"429") == 2


async def test_connections_over_the_limit_are_closed_and_others_go_on(port: int) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
    await asyncio.sleep(0.1)
    assert await ask(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    for _, writer in silent:
        writer.close()
    async with asyncio.timeout(10):
        while not (await ask(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")):
            await asyncio.sleep(0.05)


def test_counts_are_bounded_in_memory() -> None:
    budget = Budget(1)
    for number in range(REMEMBERED + 10):
        assert budget.allow(str(number), 1)
    assert not budget.allow(str(REMEMBERED + 9), 1)
    assert budget.allow(str(REMEMBERED + 9), 2)
    assert budget.allow("0", 1), "the one seen longest ago was forgotten"


def test_addresses_are_plain() -> None:
    assert caller("::ffff:203.0.113.7") == "203.0.113.7"
    assert caller("fe80::1%eth0") == "fe80::1"


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_asked_only_the_address_is_told(method: str, target: str, accept: str) -> None:
    said = answer(method, target, accept, "203.0.113.7")
    if said.status == 200 and said.body != b"ok\n":
        assert read_address(said.body) == "203.0.113.7"
