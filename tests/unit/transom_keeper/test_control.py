"""The control socket with a real unix socket and a machine that is only told of."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.keeper_snapshot import snapshot
from tests.support.waiting import until
from transom_keeper.control import ControlLimits, ControlServer, bind, peer_uid
from transom_keeper.splice import Stream
from transom_wire import WIRE_VERSION
from transom_wire.codec import decode, encode
from transom_wire.control import (
    FROM_KEEPER,
    Acknowledge,
    Attach,
    Attached,
    ControllerMessage,
    FromGuest,
    KeepAlive,
    MachineExited,
    Refused,
    RoleChanged,
    Snapshot,
    StopMachine,
)
from transom_wire.framing import HEADER, pack


class FakeMachine:
    """Writes down what it is asked."""

    def __init__(self) -> None:
        self.commands: list[ControllerMessage] = []
        self.kept = [FromGuest(number=n, role="boot", at=1, body=b"{}") for n in (4, 5)]
        self.exit_reason: str | None = None
        self.seen = asyncio.Event()
        self.far: Stream | None = None

    def snapshot(self) -> Snapshot:
        return snapshot()

    def waiting(self) -> tuple[FromGuest, ...]:
        return tuple(self.kept)

    def command(self, message: ControllerMessage) -> None:
        if isinstance(message, Acknowledge) and message.number == 666:
            raise ValueError("not that one")
        self.commands.append(message)

    async def open_stream(self, kind: str) -> Stream | None:
        if kind != "vnc" or self.far is None:
            return None
        return self.far

    def exit_seen(self) -> None:
        self.seen.set()


class Client:
    """The other end, raw."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, message: object) -> None:
        self.writer.write(pack(encode(message)))  # type: ignore[arg-type]

    def attach(self, mode: str = "control", kind: str | None = None, version: int = WIRE_VERSION) -> None:
        self.say(Attach(version=version, mode=mode, stream_kind=kind))

    async def hear(self) -> object:
        async with asyncio.timeout(10):
            (size,) = HEADER.unpack(await self.reader.readexactly(HEADER.size))
            return decode(await self.reader.readexactly(size), FROM_KEEPER)

    async def closed(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(), 10) == b""
        except ConnectionError:
            return True


class Scene:
    def __init__(self, folder: Path, limits: ControlLimits, uids: frozenset[int]) -> None:
        self.path = str(folder / "keeper.sock")
        self.machine = FakeMachine()
        self.server = ControlServer(bind(self.path), self.machine, uids, limits)
        self.clients: list[Client] = []

    async def dial(self) -> Client:
        client = Client(*await asyncio.open_unix_connection(self.path))
        self.clients.append(client)
        return client

    async def controller(self) -> Client:
        client = await self.dial()
        client.attach()
        assert [type(await client.hear()) for _ in range(3)] == [Snapshot, FromGuest, FromGuest]
        return client

    async def close(self) -> None:
        await self.server.close()
        for client in self.clients:
            client.writer.transport.abort()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    with tempfile.TemporaryDirectory() as folder:
        made = Scene(Path(folder), ControlLimits(), frozenset({os.geteuid()}))
        await made.server.start()
        yield made
        await made.close()


async def test_a_controller_gets_the_state_then_what_it_missed_then_what_happens(scene: Scene) -> None:
    client = await scene.dial()
    client.attach()
    assert await client.hear() == snapshot()
    assert [(await client.hear()).number for _ in range(2)] == [4, 5]  # type: ignore[attr-defined]
    scene.server.deliver(RoleChanged(role="boot", connected=True))
    assert await client.hear() == RoleChanged(role="boot", connected=True)


async def test_commands_reach_the_machine_and_a_refused_one_changes_nothing(scene: Scene) -> None:
    client = await scene.controller()
    for message in (Acknowledge(4), KeepAlive(), Acknowledge(666), StopMachine("enough")):
        client.say(message)
    await until(lambda: len(scene.machine.commands) == 2)
    assert scene.machine.commands == [Acknowledge(4), StopMachine("enough")]


async def test_the_newest_controller_is_the_one(scene: Scene) -> None:
    first = await scene.controller()
    second = await scene.controller()
    assert await first.closed()
    scene.server.deliver(RoleChanged(role="boot", connected=False))
    assert await second.hear() == RoleChanged(role="boot", connected=False)


async def test_status_is_one_look_and_takes_nothing_over(scene: Scene) -> None:
    controller = await scene.controller()
    looker = await scene.dial()
    looker.attach("status")
    assert await looker.hear() == snapshot() and await looker.closed()
    scene.server.deliver(KeepAlive())
    assert await controller.hear() == KeepAlive()


async def test_another_version_is_told_so(scene: Scene) -> None:
    client = await scene.dial()
    client.attach(version=WIRE_VERSION + 1)
    answer = await client.hear()
    assert isinstance(answer, Refused) and str(WIRE_VERSION) in answer.reason
    assert await client.closed()


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n\r\n", pack(b"{}"), b"\0\0\0\0", pack(encode(KeepAlive()))]
)
async def test_garbage_is_closed(scene: Scene, said: bytes) -> None:
    client = await scene.dial()
    client.writer.write(said)
    assert await client.closed()
    assert await scene.controller()


async def test_garbage_from_a_controller_ends_its_connection_only(scene: Scene) -> None:
    client = await scene.controller()
    client.writer.write(pack(encode(Attached())))
    assert await client.closed()
    assert await scene.controller()


async def test_a_stream_is_raw_once_attached(scene: Scene) -> None:
    ours, theirs = socket.socketpair()
    scene.machine.far = await asyncio.open_connection(sock=ours)
    guest = Client(*await asyncio.open_connection(sock=theirs))
    scene.clients.append(guest)
    client = await scene.dial()
    client.attach("stream", "vnc")
    client.writer.write(b"early")
    assert await client.hear() == Attached()
    assert await guest.reader.readexactly(5) == b"early"
    guest.writer.write(b"RFB")
    assert await client.reader.readexactly(3) == b"RFB"
    client.writer.close()
    assert await guest.closed()


@pytest.mark.parametrize("kind", [None, "vnc"])
async def test_a_stream_the_machine_does_not_open_is_refused(scene: Scene, kind: str | None) -> None:
    client = await scene.dial()
    client.attach("stream", kind)
    assert isinstance(await client.hear(), Refused)
    assert await client.closed()


async def test_an_exit_is_told_to_whoever_is_there_and_to_whoever_comes(scene: Scene) -> None:
    client = await scene.controller()
    scene.machine.exit_reason = "its deadline has passed"
    await scene.server.tell_exit("its deadline has passed")
    assert await client.hear() == MachineExited("its deadline has passed")
    assert scene.machine.seen.is_set()
    scene.machine.seen.clear()
    later = await scene.controller()
    assert await later.hear() == MachineExited("its deadline has passed")
    await until(scene.machine.seen.is_set)


async def test_an_exit_nobody_hears_is_not_seen(scene: Scene) -> None:
    await scene.server.tell_exit("alone")
    assert not scene.machine.seen.is_set()


async def test_strangers_are_closed_before_a_word() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), ControlLimits(), frozenset({4_000_000_000}))
        await scene.server.start()
        client = await scene.dial()
        assert await client.closed()
        await scene.close()


async def test_a_silent_controller_is_let_go_and_a_slow_one_too() -> None:
    with tempfile.TemporaryDirectory() as folder:
        limits = ControlLimits(silence_seconds=0.1, keep_alive_seconds=0.02, unsent=50_000, flush_seconds=0.1)
        scene = Scene(Path(folder), limits, frozenset({os.geteuid()}))
        await scene.server.start()
        silent = await scene.controller()
        assert await silent.hear() == KeepAlive()
        assert await silent.reader.read() is not None
        slow = await scene.controller()
        body = FromGuest(number=9, role="boot", at=1, body=b"x" * 60_000)
        for _ in range(200):
            scene.server.deliver(body)
        assert scene.server._controller is None
        slow.writer.transport.abort()
        await scene.close()


async def test_connections_are_bounded() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), ControlLimits(connections=2), frozenset({os.geteuid()}))
        await scene.server.start()
        for _ in range(2):
            await scene.dial()
        await until(lambda: len(scene.server._open) == 2)
        assert await (await scene.dial()).closed()
        await scene.close()


def test_the_socket_is_the_owner_s_alone_and_a_dead_one_is_replaced() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/keeper.sock"
        bind(path).close()
        with bind(path) as listener, socket.socket(socket.AF_UNIX) as client:
            assert os.stat(path).st_mode & 0o777 == 0o600
            client.connect(path)
            assert peer_uid(client) == os.geteuid()
            assert listener.getsockname() == path
