"""The client of Firecracker's API, against a peer that says whatever a test wants."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom_keeper.firecracker.peer import NO_CONTENT, VERSION, Peer, answer, over
from transom_keeper.firecracker import api, bodies
from transom_keeper.firecracker.api import Api, ApiError, fault
from transom_keeper.firecracker.bodies import Request
from transom_keeper.firecracker.schema import SchemaError


@asynccontextmanager
async def connected(*answers: bytes) -> AsyncIterator[tuple[Api, Peer]]:
    peer = Peer([VERSION, *answers])
    async with over(peer) as theirs:
        client = await Api.over(theirs)
        yield client, peer
        await client.close()


async def test_asks_for_the_version_first_and_tells_each_body_in_turn() -> None:
    async with connected(NO_CONTENT, NO_CONTENT) as (client, peer):
        await client.tell(bodies.machine(1, 2**30), bodies.boot_source())
        assert str(client.version) == "1.16.1"
        assert [line for line, _ in peer.heard] == [
            "GET /version",
            "PUT /machine-config",
            "PUT /boot-source",
        ]
        assert json.loads(peer.heard[1][1])["mem_size_mib"] == 1024


async def test_the_first_refusal_is_the_last_word() -> None:
    refusal = answer(400, {"fault_message": "The requested operation is not\nsupported"})
    async with connected(refusal) as (client, peer):
        with pytest.raises(
            ApiError, match=r"refused PATCH /vm \(400\): The requested operation is not\?supported"
        ):
            await client.tell(bodies.pause(), bodies.save())
        assert len(peer.heard) == 2


async def test_the_connection_serves_on_after_a_refusal() -> None:
    async with connected(answer(400, {"fault_message": "no"}), NO_CONTENT) as (client, _):
        with pytest.raises(ApiError):
            await client.tell(bodies.pause())
        await client.tell(bodies.resume())


async def test_nothing_that_the_schema_refuses_is_sent() -> None:
    async with connected() as (client, peer):
        with pytest.raises(SchemaError, match="unknown field"):
            await client.tell(Request("PATCH", "/vm", {"state": "Paused", "force": True}))
        assert len(peer.heard) == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"firecracker_version": "1.14.3"}, r"1\.14\.3 has known holes: at least 1\.14\.4 or 1\.15\.1"),
        ({"firecracker_version": 7}, "does not say its version"),
        ({}, "does not say its version"),
        (["1.16.1"], "does not say its version"),
    ],
)
async def test_no_machine_under_a_version_with_holes(said: object, words: str) -> None:
    async with over(Peer([answer(200, said)])) as theirs:
        with pytest.raises(ApiError, match=words):
            await Api.over(theirs)
        assert theirs.fileno() == -1


async def test_says_the_machines_state() -> None:
    async with connected(answer(200, {"state": "Running"}), answer(200, {"state": "On fire"})) as (client, _):
        assert await client.state() == "Running"
        with pytest.raises(ApiError, match="its state"):
            await client.state()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "connection to Firecracker broke"),
        (b"garbage\r\n\r\n", "connection to Firecracker broke"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000, "connection to Firecracker broke"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"x" * 900_000, "too long"),
        (answer(500, b"[[[[ not JSON"), r"\(500\): no reason"),
        (answer(400, b"[" * 30_000), r"\(400\): no reason"),
    ],
)
async def test_a_peer_that_speaks_badly_is_an_error_and_no_crash(said: bytes, words: str) -> None:
    async with connected(said) as (client, _):
        with pytest.raises(ApiError, match=words):
            await client.tell(bodies.pause())


async def test_a_peer_that_says_nothing_is_waited_for_no_longer_than_its_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with connected() as (client, _):
        monkeypatch.setattr(api, "REQUEST_SECONDS", 0.05)
        with pytest.raises(ApiError, match="did not answer PATCH /vm"):
            await client.tell(bodies.pause())


@given(st.dictionaries(st.just("fault_message"), st.text() | st.integers() | st.none()))
def test_a_reason_is_short_and_harmless_to_a_terminal(content: dict[str, object]) -> None:
    said = fault(content)
    assert len(said) <= 300
    assert not any(ord(each) < 32 for each in said)
