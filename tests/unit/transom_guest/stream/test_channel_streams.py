"""Channels by streams: whose they are, by what terms, and when they are cut. Clipboard and hands are stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.waiting import until
from transom.api import channel, watch
from transom.stream.seats import GUESTS_LIMIT
from transom_guest.clipboard import frames
from transom_guest.clipboard.service import Clipboard
from transom_guest.input.message import Asked, Button, Key, Message, Text, Wheel
from transom_guest.stream import channel_streams
from transom_guest.stream.channel_streams import MAX_MALFORMED, MOST, ChannelStreams
from transom_wire.channel import FRAME_LIMIT, ChannelViewer, framed, opened
from transom_wire.framing import FrameReader
from transom_wire.peers import PeerTerms

BOTH = PeerTerms(clipboard="both", clipboard_bytes=100)
WATCHER = PeerTerms(drives=False)
NUMBER = channel_streams.FIRST
IS = f'["is", {NUMBER}]'
"""What a driver is told first."""


class HandsStandIn:
    """Remembers, too."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.over: set[str] = set()
        """Connections whose pages have gone on."""

    def take(self, viewer: str, message: Message) -> None:
        self.told.append((viewer, message))

    def after(self, viewer: str, tell: Callable[[], object]) -> None:
        tell()

    def leave(self, viewer: str) -> None:
        self.told.append((viewer, "leave"))

    def begin(self, viewer: str) -> None:
        self.over.discard(viewer)

    def admits(self, viewer: str) -> bool:
        return viewer not in self.over

    def answer(self, viewer: str, asked: Asked) -> str:
        self.told.append((viewer, asked))
        return f'["had", {asked.epoch}, 17]'

    def bar(self, page: str) -> None:
        self.told.append((page, "bar"))


class StandIn:
    """Remembers what it is told, and finds every message that begins with `!` malformed."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.wires: dict[str, Any] = {}
        self.hands = HandsStandIn()

    def admit(self, viewer: str, terms: PeerTerms) -> None:
        self.told.append(("admit", viewer, terms))

    def opened(self, viewer: str, wire: Any) -> None:
        self.wires[viewer] = wire
        wire.clip('["may", 1, 1, 100, 0]')

    def heard(self, viewer: str, message: str | bytes) -> None:
        if message == "!":
            raise frames.FrameError("malformed")
        self.told.append(("heard", viewer, message))

    def leave(self, viewer: str) -> None:
        self.told.append(("leave", viewer))


@pytest.fixture
def clipboard() -> StandIn:
    return StandIn()


@pytest.fixture
async def path(tmp_path: Path, clipboard: StandIn, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    monkeypatch.setattr(channel_streams, "LAST", NUMBER + 1)
    path = tmp_path / "channel.sock"
    task = asyncio.create_task(
        ChannelStreams(cast(Clipboard, clipboard), clipboard.hands, clipboard.hands).run(path)
    )
    await until(lambda: path.exists() and path.stat().st_mode & 0o777 == 0o600)
    yield path
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_stream_says_whose_it_is_and_then_carries_messages_both_ways(
    path: Path, clipboard: StandIn
) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(framed(ChannelViewer("tab", BOTH)) + framed('["put", 1]') + framed(b"bytes"))
    read = FrameReader(FRAME_LIMIT)
    said = [opened(frame) for frame in read.feed(await reader.read(1000))]
    assert said == [IS, '["may", 1, 1, 100, 0]']
    writer.write(framed(ChannelViewer("tab", WATCHER)))
    await until(lambda: len(clipboard.told) == 4)
    key = f"tab/{NUMBER}"
    assert clipboard.told == [
        ("admit", key, BOTH),
        ("heard", key, '["put", 1]'),
        ("heard", key, b"bytes"),
        ("admit", key, WATCHER),
    ]
    assert clipboard.wires[key].clip(b"down")
    assert opened(read.feed(await reader.read(1000))[0]) == b"down"
    writer.close()
    await until(lambda: ("leave", key) in clipboard.told)
    assert not clipboard.wires[key].clip(b"late")


@pytest.mark.parametrize(
    "said",
    [
        framed("nobody's"),
        b"\xff\xff\xff\xff",
        b"\0\0\0\2vx",
        framed(ChannelViewer("tab", BOTH)) + framed(ChannelViewer("other", BOTH)),
        framed(ChannelViewer("tab", BOTH)) + MAX_MALFORMED * framed("!"),
    ],
)
async def test_a_stream_that_misbehaves_is_cut(path: Path, clipboard: StandIn, said: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(said)
    async with asyncio.timeout(10):
        try:
            while await reader.read(1000):
                pass
        except ConnectionResetError:
            pass
    admitted = sum(what[0] == "admit" for what in clipboard.told)
    await until(lambda: sum(what[0] == "leave" for what in clipboard.told) == min(admitted, 1))
    assert not any(what[0] == "heard" for what in clipboard.told)
    writer.close()


async def test_who_says_nothing_is_let_go_and_there_are_so_many_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = [await asyncio.open_unix_connection(path) for _ in range(MOST)]
    await asyncio.sleep(0.05)
    reader, writer = await asyncio.open_unix_connection(path)
    async with asyncio.timeout(10):
        assert await reader.read(1) == b""
    monkeypatch.setattr(channel_streams, "HELLO_S", 0.05)
    for _, one in (*streams, (reader, writer)):
        one.close()
    await asyncio.sleep(0.05)
    silent, writer = await asyncio.open_unix_connection(path)
    async with asyncio.timeout(10):
        assert await silent.read(1) == b""
    writer.close()


async def test_keys_and_texts_of_a_driver_are_acted_out_and_end_with_the_desktop_or_the_stream(
    path: Path, clipboard: StandIn
) -> None:
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(framed(ChannelViewer("tab", BOTH)) + framed('["k", 1, 97, 1]') + framed('["t", 2, "é"]'))
    writer.write(
        framed('["b", 3, 5, 6, 1, 1]') + framed('["w", 4, 5, 6, 0, 1]') + framed('["s", 5, 640, 480]')
    )
    writer.write(framed(ChannelViewer("tab", WATCHER)) + framed('["k", 6, 98, 1]') + framed("after"))
    key = f"tab/{NUMBER}"
    await until(lambda: ("heard", key, "after") in clipboard.told)
    writer.close()
    await until(lambda: ("leave", key) in clipboard.told)
    keys = [(key, Key(1, 97, True)), (key, Text(2, "é"))]
    pointer = [(key, Button(3, 5, 6, 1, True)), (key, Wheel(4, 5, 6, 0, 1))]
    assert clipboard.hands.told == [*keys, *pointer, (key, "leave"), ("tab", "bar"), (key, "leave")]


async def test_a_driver_is_told_how_much_of_its_peer_was_acted_out_and_a_watcher_nothing(
    path: Path, clipboard: StandIn
) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    asked = framed('["o", 1, 3]')
    writer.write(framed(ChannelViewer("tab", BOTH)) + asked + framed(ChannelViewer("tab", WATCHER)) + asked)
    read, said = FrameReader(FRAME_LIMIT), list[Any]()
    async with asyncio.timeout(10):
        while len(said) < 3:
            said += [opened(frame) for frame in read.feed(await reader.read(1000))]
    assert said[2:] == ['["had", 3, 17]']
    key = f"tab/{NUMBER}"
    await until(lambda: ("tab", "bar") in clipboard.hands.told)
    assert clipboard.hands.told == [(key, Asked(1, 3)), (key, "leave"), ("tab", "bar")]
    writer.close()


async def test_a_driver_is_told_what_was_acted_out_and_nothing_is_once_its_page_has_gone_on(
    path: Path, clipboard: StandIn
) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(framed(ChannelViewer("tab", BOTH)) + framed('["k", 1, 97, 1]') + framed('["p", 2]'))
    read, said = FrameReader(FRAME_LIMIT), list[Any]()
    async with asyncio.timeout(10):
        while '["p", 2]' not in said:
            said += [opened(frame) for frame in read.feed(await reader.read(1000))]
    assert said[0] == IS
    clipboard.hands.over.add(f"tab/{NUMBER}")
    writer.write(framed('["k", 3, 98, 1]') + framed("after"))
    await until(lambda: ("heard", f"tab/{NUMBER}", "after") in clipboard.told)
    assert clipboard.hands.told == [(f"tab/{NUMBER}", Key(1, 97, True))]
    writer.close()


async def test_a_watcher_s_keys_are_not_even_read(path: Path, clipboard: StandIn) -> None:
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(framed(ChannelViewer("tab", WATCHER)) + 2 * MAX_MALFORMED * framed('["p", "k"'))
    writer.write(framed("after"))
    await until(lambda: ("heard", f"tab/{NUMBER}", "after") in clipboard.told)
    assert not clipboard.hands.told
    writer.close()


async def test_who_takes_nothing_is_cut_before_much_waits_for_it(path: Path, clipboard: StandIn) -> None:
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(framed(ChannelViewer("tab", BOTH)))
    key = f"tab/{NUMBER}"
    await until(lambda: key in clipboard.wires)
    wire, chunk = clipboard.wires[key], bytes(10_000)
    taken = sum(wire.clip(chunk) for _ in range(400))
    assert 100 <= taken < 200
    assert wire.clip_waiting() == 0
    await until(lambda: ("leave", key) in clipboard.told)
    writer.close()


def test_there_is_a_stream_for_each_socket_that_the_controller_lets_in() -> None:
    guests = GUESTS_LIMIT * watch.channel_places.own + watch.channel_places.limit
    assert channel.places.limit + guests <= MOST
