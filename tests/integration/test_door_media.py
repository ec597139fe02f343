"""A viewer outside, an agent in a network namespace without a route, and between them only the door."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aioice.ice
import pytest
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from tests.support.waiting import until
from transom.stream.sdp import read_transport, strip_candidates, viewer_ufrag, with_candidate
from transom_keeper.door import Door
from transom_wire.control import RegisterPeer
from transom_wire.stun import build_binding_request

AGENT = Path(__file__).resolve().parents[1] / "support" / "netns_agent.py"
NOTHING_BUT_LOOPBACK = [
    "bwrap",
    "--unshare-user",
    "--unshare-net",
    "--die-with-parent",
    "--dev-bind",
    "/",
    "/",
    "--",
]
INNER = 6
PATIENCE_S = 30.0
UNREACHABLE = {str(errno.ENETUNREACH), str(errno.EADDRNOTAVAIL), str(errno.EAFNOSUPPORT)}


class Machine:
    """The agent's process in its namespace, and the door before it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [*NOTHING_BUT_LOOPBACK, sys.executable, str(AGENT), str(theirs.fileno()), str(INNER)],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        self.control.settimeout(PATIENCE_S)
        _, descriptors, _, _ = socket.recv_fds(self.control, 100, INNER)
        self.control.setblocking(False)
        inner = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        public = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        public.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = public.getsockname()
        self.door = Door(public, inner, self.loop)
        self.pair: RegisterPeer | None = None

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            got = await self.loop.sock_recv(self.control, 2**17)
        return dict(json.loads(got))

    async def connect(self, viewer: RTCPeerConnection, address: tuple[str, int], name: str = "ada") -> None:
        """Signal as the controller does: candidates stripped, the pair registered, the door the one candidate."""
        await viewer.setLocalDescription(await viewer.createOffer())
        offer = strip_candidates(viewer.localDescription.sdp)
        await self.loop.sock_sendall(self.control, json.dumps({"offer": offer}).encode())
        answer = (await self.hear())["answer"]
        agent = read_transport(answer)
        self.pair = RegisterPeer(name, agent.ufrag, agent.password, viewer_ufrag(offer), agent.port)
        self.door.register(self.pair)
        reached = with_candidate(answer, *address)
        await viewer.setRemoteDescription(RTCSessionDescription(reached, "answer"))

    def count(self, name: str) -> int:
        return int(self.door.counters().get(name, "0"))

    def close(self) -> None:
        self.door.close()
        self.control.close()
        self.process.kill()
        self.process.wait(10)


class MovingNat:
    """A NAT before the viewer that can give it another port from one moment to the next."""

    def __init__(self, door: tuple[str, int]) -> None:
        self.loop, self.door = asyncio.get_running_loop(), door
        self.inside = self._bound(self._outward)
        self.address: tuple[str, int] = self.inside.getsockname()
        self.viewer: tuple[str, int] | None = None
        self.outside = self._bound(self._inward)

    def move(self) -> None:
        self._drop(self.outside)
        self.outside = self._bound(self._inward)

    def close(self) -> None:
        self._drop(self.outside)
        self._drop(self.inside)

    def _bound(self, reader: Callable[[], None]) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        self.loop.add_reader(made, reader)
        return made

    def _drop(self, each: socket.socket) -> None:
        self.loop.remove_reader(each)
        each.close()

    def _outward(self) -> None:
        datagram, self.viewer = self.inside.recvfrom(4096)
        self.outside.sendto(datagram, self.door)

    def _inward(self) -> None:
        datagram = self.outside.recv(4096)
        if self.viewer is not None:
            self.inside.sendto(datagram, self.viewer)


class Viewer:
    """An aiortc viewer with a data channel that the agent echoes, and a picture."""

    def __init__(self) -> None:
        self.peer = RTCPeerConnection()
        self.channel: RTCDataChannel = self.peer.createDataChannel("echo")
        self.track: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.echoed: asyncio.Queue[str] = asyncio.Queue()
        self.opened = asyncio.Event()
        self.peer.addTransceiver("video", direction="recvonly")
        self.channel.on("open", self.opened.set)
        self.channel.on("message", self.echoed.put_nowait)
        self.peer.on("track", self.track.set_result)

    async def echo(self, text: str) -> str:
        async with asyncio.timeout(PATIENCE_S):
            await self.opened.wait()
            self.channel.send(text)
            return await self.echoed.get()

    async def frame(self) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await (await self.track).recv()


@pytest.fixture
async def machine(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.5)
    made = Machine()
    yield made
    made.close()


async def test_media_and_data_come_out_of_a_namespace_without_a_route(machine: Machine) -> None:
    facts = await machine.hear()
    assert facts and set(facts.values()) <= UNREACHABLE, facts
    viewer = Viewer()
    try:
        await machine.connect(viewer.peer, machine.address)
        assert [await viewer.echo(str(number)) for number in range(20)] == [str(n) for n in range(20)]
        frames = [await viewer.frame() for _ in range(5)]
        assert {(frame.width, frame.height) for frame in frames} == {(640, 480)}
        assert viewer.peer.connectionState == "connected"
        assert machine.count("packets_out") > 25
        machine.door.release("ada")
        assert machine.count("sources") == 0
    finally:
        await viewer.peer.close()


async def test_strangers_are_dropped_while_a_viewer_watches(machine: Machine) -> None:
    await machine.hear()
    viewer = Viewer()
    try:
        await machine.connect(viewer.peer, machine.address)
        await viewer.echo("first")
        assert machine.pair is not None
        names = {"guest_ufrag": machine.pair.guest_ufrag, "viewer_ufrag": machine.pair.viewer_ufrag}
        right = build_binding_request(**names, password=machine.pair.guest_password)
        lies = {
            "dropped_stranger": [
                b"",
                os.urandom(200),
                b"\x80\x60" + os.urandom(100),
                b"\x16\xfe\xfd" + bytes(60),
            ],
            "dropped_malformed": [right[:-1], right[:60], right[:20]],
            "dropped_integrity": [build_binding_request(**names, password="x" * 24)],
            "dropped_user": [
                build_binding_request(
                    **{**names, "viewer_ufrag": "other"}, password=machine.pair.guest_password
                )
            ],
        }
        before = {reason: machine.count(reason) for reason in lies}
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as stranger:
            stranger.setblocking(False)
            for datagrams in lies.values():
                for datagram in datagrams * 20:
                    stranger.sendto(datagram, machine.address)
            sent = {reason: len(datagrams) * 20 for reason, datagrams in lies.items()}
            await until(lambda: all(machine.count(r) - before[r] == sent[r] for r in lies))
            assert await viewer.echo("still") == "still"
            with pytest.raises(BlockingIOError):
                stranger.recv(2048)
    finally:
        await viewer.peer.close()


async def test_a_viewer_whose_address_changes_keeps_its_connection(machine: Machine) -> None:
    await machine.hear()
    viewer, nat = Viewer(), MovingNat(machine.address)
    try:
        await machine.connect(viewer.peer, nat.address)
        assert await viewer.echo("here") == "here"
        await viewer.frame()
        nat.move()
        assert await viewer.echo("there") == "there"
        await until(lambda: machine.count("takeovers") == 1)
        assert viewer.peer.connectionState == "connected"
        assert machine.count("sources") == 1
    finally:
        await viewer.peer.close()
        nat.close()


async def test_two_viewers_one_after_the_other_leave_nothing(machine: Machine) -> None:
    await machine.hear()
    for name in ("one", "two"):
        viewer = Viewer()
        try:
            await machine.connect(viewer.peer, machine.address, name)
            assert await viewer.echo(name) == name
        finally:
            await viewer.peer.close()
        machine.door.release(name)
    assert (machine.door.peers(), machine.count("sources")) == ((), 0)
