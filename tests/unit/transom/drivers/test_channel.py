"""The controller's end of the socket, with keepers that answer, lie, hang and vanish."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.keeper_snapshot import snapshot
from transom.drivers import channel
from transom.drivers.channel import ChannelDeadlines
from transom.model.errors import Unavailable
from transom_wire.codec import decode, encode
from transom_wire.control import (
    TO_KEEPER,
    Acknowledge,
    Attach,
    Attached,
    KeepAlive,
    Refused,
    RoleChanged,
)
from transom_wire.framing import HEADER, pack

QUICK = ChannelDeadlines(connect=0.2, stream=0.2, send=0.2, silence=0.3, keep_alive=0.02)
PATIENT = ChannelDeadlines()
Play = Callable[["Keeper"], Awaitable[None]]


class Keeper:
    """A keeper's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def hear(self) -> object:
        (size,) = HEADER.unpack(await self.reader.readexactly(HEADER.size))
        return decode(await self.reader.readexactly(size), TO_KEEPER)

    def say(self, message: object) -> None:
        self.writer.write(pack(encode(message)))  # type: ignore[arg-type]


class Place:
    """A machine's folder, deeper than a socket's path may be long."""

    def __init__(self, top: str) -> None:
        self.folder = Path(top, *["deep" * 10] * 4)
        self.folder.mkdir(parents=True)
        self._open: list[Keeper] = []

    async def serve(self, play: Play) -> None:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            keeper = Keeper(reader, writer)
            self._open.append(keeper)
            try:
                await play(keeper)
            except (OSError, EOFError):
                writer.close()

        import os
        import socket

        listener = socket.socket(socket.AF_UNIX)
        here = os.getcwd()
        os.chdir(self.folder)
        try:
            listener.bind("keeper.sock")
        finally:
            os.chdir(here)
        self.server = await asyncio.start_unix_server(accepted, sock=listener)

    def close(self) -> None:
        self.server.close()
        for keeper in self._open:
            keeper.writer.transport.abort()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Play], Awaitable[Path]]]:
    places: list[Place] = []
    with tempfile.TemporaryDirectory() as top:

        async def start(play: Play) -> Path:
            place = Place(f"{top}/{len(places)}")
            await place.serve(play)
            places.append(place)
            return place.folder

        yield start
        for place in places:
            place.close()


async def answer(keeper: Keeper) -> None:
    attach = await keeper.hear()
    assert isinstance(attach, Attach) and attach.mode == "control"
    keeper.say(snapshot())


Server = Callable[[Play], Awaitable[Path]]


async def test_attach_begins_with_the_snapshot_and_keep_alives_are_not_news(serve: Server) -> None:
    async def play(keeper: Keeper) -> None:
        await answer(keeper)
        for message in (KeepAlive(), RoleChanged("boot", True), KeepAlive(), RoleChanged("webrtc", True)):
            keeper.say(message)
        keeper.writer.close()

    made = await channel.attach(await serve(play), PATIENT)
    assert made.snapshot == snapshot()
    assert [message async for message in made.messages()] == [
        RoleChanged("boot", True),
        RoleChanged("webrtc", True),
    ]
    await made.close()


async def test_what_is_sent_arrives_and_the_keeper_hears_that_we_live(serve: Server) -> None:
    heard: asyncio.Queue[object] = asyncio.Queue()

    async def play(keeper: Keeper) -> None:
        await answer(keeper)
        while True:
            heard.put_nowait(await keeper.hear())

    made = await channel.attach(await serve(play), QUICK)
    await made.send(Acknowledge(3))
    assert await asyncio.wait_for(heard.get(), 10) == Acknowledge(3)
    assert await asyncio.wait_for(heard.get(), 10) == KeepAlive()
    await made.close()
    with pytest.raises(Unavailable):
        await made.send(Acknowledge(4))
        await made.send(Acknowledge(5))


async def test_a_keeper_that_hangs_ends_the_messages(serve: Server) -> None:
    made = await channel.attach(await serve(answer), QUICK)
    async with asyncio.timeout(10):
        assert [message async for message in made.messages()] == []
    await made.close()


async def test_a_keeper_that_does_not_read_is_unavailable(serve: Server) -> None:
    made = await channel.attach(await serve(answer), QUICK)
    with pytest.raises(Unavailable):
        for number in range(1, 100_000):
            await made.send(Acknowledge(number))
    await made.close()


async def refuse(keeper: Keeper) -> None:
    await keeper.hear()
    keeper.say(Refused("this keeper speaks version 9"))


async def lie(keeper: Keeper) -> None:
    keeper.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def lie_in_frames(keeper: Keeper) -> None:
    keeper.writer.write(pack(b'{"type": "snapshot"}'))


async def vanish(keeper: Keeper) -> None:
    keeper.writer.close()


async def hang(keeper: Keeper) -> None:
    await keeper.hear()


@pytest.mark.parametrize("play", [refuse, lie, lie_in_frames, vanish, hang])
async def test_a_keeper_that_does_not_answer_well_is_unavailable(serve: Server, play: Play) -> None:
    folder = await serve(play)
    for ask in (channel.attach(folder, QUICK), channel.status(folder, QUICK)):
        with pytest.raises(Unavailable):
            await ask
    with pytest.raises(Unavailable):
        await channel.open_stream(folder, "vnc", QUICK)


async def test_the_keeper_s_reason_is_passed_on(serve: Server) -> None:
    with pytest.raises(Unavailable, match="version 9"):
        await channel.attach(await serve(refuse), PATIENT)


async def test_no_folder_no_socket_and_a_dead_socket_are_unavailable(serve: Server, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    dead = tmp_path / "dead"
    dead.mkdir()
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead / "keeper.sock"))
    for folder in (tmp_path / "gone", tmp_path / "empty", dead):
        with pytest.raises(Unavailable):
            await channel.attach(folder, QUICK)


async def test_a_link_to_another_machine_s_socket_is_not_followed(serve: Server, tmp_path: Path) -> None:
    other = await serve(answer)
    (tmp_path / "keeper.sock").symlink_to(other / "keeper.sock")
    with pytest.raises(Unavailable):
        await channel.attach(tmp_path, PATIENT)


async def test_status_is_one_look(serve: Server) -> None:
    async def play(keeper: Keeper) -> None:
        attach = await keeper.hear()
        assert isinstance(attach, Attach) and attach.mode == "status"
        keeper.say(snapshot(state="exited"))

    assert (await channel.status(await serve(play), PATIENT)).state == "exited"


async def test_a_stream_is_raw_from_its_first_byte(serve: Server) -> None:
    async def play(keeper: Keeper) -> None:
        attach = await keeper.hear()
        assert isinstance(attach, Attach) and (attach.mode, attach.stream_kind) == ("stream", "vnc")
        keeper.writer.write(pack(encode(Attached())) + b"RFB 003.008\n")
        keeper.writer.write((await keeper.reader.readexactly(4)).upper())

    reader, writer = await channel.open_stream(await serve(play), "vnc", PATIENT)
    assert await reader.readexactly(12) == b"RFB 003.008\n"
    writer.write(b"back")
    assert await reader.readexactly(4) == b"BACK"
    writer.close()
