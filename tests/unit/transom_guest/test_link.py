from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom_guest.fake_keeper import BOOT_WELCOME, TOKEN, FakeKeeper, fake_keeper
from transom_guest import link as module
from transom_guest.link import Link, LinkError, keep_linked, link_address, read_link_token
from transom_wire import WIRE_VERSION
from transom_wire.codec import WireError, encode
from transom_wire.framing import pack
from transom_wire.link import OpenUrl, PeerState, Ping, Progress, SetScreen, Welcome


@pytest.fixture
async def keeper(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeKeeper]:
    async with fake_keeper(monkeypatch) as keeper:
        yield keeper


@pytest.fixture
def token_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "token"
    monkeypatch.setenv("TRANSOM_LINK_TOKEN_FILE", str(path))
    return path


async def collect(link: Link) -> list[object]:
    return [message async for message in link.messages()]


async def test_hello_carries_role_and_token_and_welcome_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_keeper(monkeypatch, BOOT_WELCOME) as keeper:
        link = await Link.dial("boot", TOKEN)
        hello = (await keeper.call()).hello
        assert (hello.role, hello.token, hello.stream, hello.version) == ("boot", TOKEN, None, WIRE_VERSION)
        assert link.welcome == BOOT_WELCOME
        await link.close()


async def test_messages_go_both_ways_and_pings_are_kept_back(keeper: FakeKeeper) -> None:
    link = await Link.dial("boot", TOKEN)
    call = await keeper.call()
    await link.send(Progress(stage="display"))
    assert await call.hear() == Progress(stage="display")
    await call.say(Ping(), SetScreen(width=800, height=600), Ping(), OpenUrl(url="https://a.example/"))
    call.writer.close()
    assert await collect(link) == [SetScreen(width=800, height=600), OpenUrl(url="https://a.example/")]
    assert link.reason == "the keeper closed it"
    with pytest.raises(LinkError):
        await link.send(Progress(stage="desktop"))


async def test_a_stream_link_is_raw_after_welcome(keeper: FakeKeeper) -> None:
    link = await Link.dial("stream", TOKEN, stream="s1")
    call = await keeper.call()
    assert call.hello.stream == "s1"
    call.writer.write(b"RFB 003.008\n")
    assert await link.reader.readexactly(12) == b"RFB 003.008\n"
    link.writer.write(b"\x00raw")
    assert await call.reader.readexactly(4) == b"\x00raw"
    await link.close()


async def test_bytes_sent_together_with_welcome_are_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_keeper(monkeypatch, pack(encode(Welcome(version=WIRE_VERSION))) + b"early") as keeper:
        link = await Link.dial("stream", TOKEN, stream="s1")
        await keeper.call()
        assert await link.reader.readexactly(5) == b"early"
        await link.close()


@pytest.mark.parametrize(
    "answer",
    [
        pack(encode(Welcome(version=WIRE_VERSION + 1))),
        pack(encode(Ping())),
        pack(b"not json"),
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x00",
    ],
)
async def test_any_other_answer_than_welcome_is_refused(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fake_keeper(monkeypatch, answer):
        with pytest.raises(LinkError) as caught:
            await Link.dial("boot", TOKEN)
        assert TOKEN not in str(caught.value)


async def test_a_keeper_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DIAL_DEADLINE", 0.05)
    async with fake_keeper(monkeypatch, b""):
        with pytest.raises(LinkError, match="no answer in time"):
            await Link.dial("boot", TOKEN)


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff", pack(b"{}"), pack(encode(Welcome(version=1)))])
async def test_garbage_ends_the_link(keeper: FakeKeeper, garbage: bytes) -> None:
    link = await Link.dial("webrtc", TOKEN)
    call = await keeper.call()
    call.writer.write(garbage)
    assert await collect(link) == []
    assert link.reason


async def test_a_message_of_another_role_is_not_sent(keeper: FakeKeeper) -> None:
    link = await Link.dial("boot", TOKEN)
    with pytest.raises(WireError):
        await link.send(PeerState(peer="p", epoch=1, state="new"))
    with pytest.raises(WireError):
        await link.send(Progress(stage="Not A Name"))
    await link.close()


async def test_a_silent_link_is_dead(keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.05)
    link = await Link.dial("boot", TOKEN)
    assert await collect(link) == []
    assert link.reason == "no answer in time"


async def test_pings_go_out_by_themselves(keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_EVERY", 0.01)
    link = await Link.dial("signin", TOKEN)
    call = await keeper.call()
    assert [await call.hear(), await call.hear()] == [Ping(), Ping()]
    await link.close()


async def test_a_keeper_that_does_not_read_breaks_the_link(
    keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEND_DEADLINE", 0.05)
    link = await Link.dial("webrtc", TOKEN)
    call = await keeper.call()
    call.reader._transport.pause_reading()  # type: ignore[attr-defined]
    with pytest.raises(LinkError):
        for _ in range(100_000):
            await link.send(PeerState(peer="p", epoch=1, state="new", reason="x" * 500))
    assert link.writer.is_closing()


async def test_keep_linked_dials_again_after_each_end(keeper: FakeKeeper, token_file: Path) -> None:
    token_file.write_text(TOKEN + "\n")
    served: list[Link] = []

    async def serve(link: Link) -> None:
        served.append(link)
        if len(served) == 1:
            raise RuntimeError("a bug in the service")
        await collect(link)

    task = asyncio.create_task(keep_linked("webrtc", serve))
    await keeper.call()
    (await keeper.call()).hang_up()
    call = await keeper.call()
    assert call.hello.token == TOKEN
    assert len(served) >= 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await call.reader.read() == b""


async def test_keep_linked_waits_for_the_token(keeper: FakeKeeper, token_file: Path) -> None:
    async def serve(link: Link) -> None:
        await collect(link)

    with pytest.raises(LinkError):
        read_link_token()
    task = asyncio.create_task(keep_linked("signin", serve))
    await asyncio.sleep(0)
    token_file.write_text(TOKEN)
    assert (await keeper.call()).hello.role == "signin"
    task.cancel()


def test_link_address() -> None:
    assert link_address("127.0.0.1:4001") == ("127.0.0.1", 4001)
    for bad in ("", "4001", ":4001", "host:", "host:0", "host:65536", "host:1e3", "host:-1"):
        with pytest.raises(LinkError):
            link_address(bad)


@given(st.text())
def test_link_address_is_total(text: str) -> None:
    try:
        host, port = link_address(text)
    except LinkError:
        return
    assert host and 0 < port < 65536
