"""The door with real sockets: what it relays, what it drops, what it lets nobody inside do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest

from transom_keeper.door import BATCH, MAX_DATAGRAM, Door
from transom_keeper.door_limits import DoorLimits
from transom_wire.control import RegisterPeer
from transom_wire.stun import build_binding_request

PASSWORD = "p" * 24
PATIENCE_S = 10.0
MEDIA = b"\x80" + bytes(range(100))


class Bench:
    """A door with an agent inside and viewers outside, all on loopback."""

    def __init__(
        self, *, family: int = socket.AF_INET, inner: int = 3, limits: DoorLimits | None = None
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        self.stack = ExitStack()
        public = socket.socket(family, socket.SOCK_DGRAM)
        public.bind((self.host, 0))
        self.address = public.getsockname()
        self.inner = [bound() for _ in range(inner)]
        self.inner_addresses = [each.getsockname() for each in self.inner]
        self.door = Door(public, self.inner, self.loop, limits=limits)
        self.agent = self.stack.enter_context(bound())
        self.pair = RegisterPeer("ada", "guestA", PASSWORD, "viewA", self.agent.getsockname()[1])

    def viewer(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        viewer = self.stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        viewer.setblocking(False)
        viewer.bind((self.host, 0))
        viewer.connect(self.address[:2])
        return viewer

    def check(self, password: str = PASSWORD) -> bytes:
        return build_binding_request(guest_ufrag="guestA", viewer_ufrag="viewA", password=password)

    async def admit(self, viewer: socket.socket) -> tuple[str, int]:
        """Let `viewer` prove itself; the inner address by which the agent hears it."""
        check = self.check()
        viewer.send(check)
        datagram, sender = await self.at_agent()
        assert datagram == check
        return sender

    async def at_agent(self) -> tuple[bytes, tuple[str, int]]:
        async with asyncio.timeout(PATIENCE_S):
            return await self.loop.sock_recvfrom(self.agent, 4096)

    async def at_viewer(self, viewer: socket.socket) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.loop.sock_recv(viewer, 4096)

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not seen():
                await asyncio.sleep(0.005)

    def count(self, name: str) -> int:
        return int(self.door.counters().get(name, "0"))


def bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind(("127.0.0.1", 0))
    return made


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    made.door.close()
    made.stack.close()


@pytest.fixture
def strangers() -> Iterator[socket.socket]:
    """A socket inside that is not the agent's."""
    with bound() as made:
        yield made


async def test_a_viewer_that_proves_itself_is_relayed_both_ways_unchanged(bench: Bench) -> None:
    bench.door.register(bench.pair)
    viewer = bench.viewer()
    inside = await bench.admit(viewer)
    assert inside in bench.inner_addresses
    viewer.send(MEDIA)
    assert await bench.at_agent() == (MEDIA, inside)
    bench.agent.sendto(MEDIA[::-1], inside)
    assert await bench.at_viewer(viewer) == MEDIA[::-1]
    counters = bench.door.counters()
    assert (counters["sources"], counters["packets_in"], counters["packets_out"]) == ("1", "2", "1")
    assert bench.door.peers() == ("ada",)
    assert bench.door.sums() == {"dropped": "0", "flooded": "0"}


async def test_ipv6_outside() -> None:
    bench = Bench(family=socket.AF_INET6)
    try:
        bench.door.register(bench.pair)
        viewer = bench.viewer()
        inside = await bench.admit(viewer)
        bench.agent.sendto(MEDIA, inside)
        assert await bench.at_viewer(viewer) == MEDIA
    finally:
        bench.door.close()
        bench.stack.close()


async def test_two_viewers_do_not_hear_each_other(bench: Bench) -> None:
    bench.door.register(bench.pair)
    one, two = bench.viewer(), bench.viewer()
    inside_one, inside_two = await bench.admit(one), await bench.admit(two)
    assert inside_one != inside_two
    bench.agent.sendto(b"\x80one", inside_one)
    bench.agent.sendto(b"\x80two", inside_two)
    assert await bench.at_viewer(one) == b"\x80one"
    assert await bench.at_viewer(two) == b"\x80two"


async def test_strangers_get_no_answer_and_reach_nobody(bench: Bench) -> None:
    bench.door.register(bench.pair)
    stranger = bench.viewer()
    wrong = build_binding_request(guest_ufrag="guestA", viewer_ufrag="other", password=PASSWORD)
    lies = [b"", b"\x00", MEDIA, bytes(500), bench.check()[:-1], bench.check("x" * 24), wrong]
    for lie in lies:
        stranger.send(lie)
    await bench.until(
        lambda: (
            sum(bench.count(f"dropped_{r}") for r in ("stranger", "malformed", "user", "integrity"))
            == len(lies)
        )
    )
    viewer = bench.viewer()
    assert await bench.admit(viewer)
    with pytest.raises(BlockingIOError):
        stranger.recv(4096)


async def test_nobody_else_inside_can_send_through_the_door(bench: Bench, strangers: socket.socket) -> None:
    """Neither by a socket that serves a viewer, nor by one that waits for its next."""
    bench.door.register(bench.pair)
    viewer = bench.viewer()
    inside = await bench.admit(viewer)
    for address in bench.inner_addresses:
        for _ in range(20):
            try:
                strangers.sendto(MEDIA, address)
            except ConnectionRefusedError:
                continue
    bench.agent.sendto(b"\x80real", inside)
    assert await bench.at_viewer(viewer) == b"\x80real"
    assert (bench.count("packets_out"), bench.count("dropped_unheld")) == (1, 0)


async def test_what_was_queued_before_a_socket_is_joined_never_comes_out(strangers: socket.socket) -> None:
    bench = Bench(inner=1)
    try:
        bench.inner[0].connect(strangers.getsockname())
        for _ in range(50):
            strangers.sendto(b"\x80stale", bench.inner_addresses[0])
        bench.loop.remove_reader(bench.inner[0])
        bench.door.register(bench.pair)
        viewer = bench.viewer()
        inside = await bench.admit(viewer)
        bench.loop.add_reader(bench.inner[0], bench.door._from_guest, 0)
        bench.agent.sendto(MEDIA, inside)
        assert await bench.at_viewer(viewer) == MEDIA
    finally:
        bench.door.close()
        bench.stack.close()


async def test_a_released_peer_is_cut_off_and_its_socket_serves_the_next() -> None:
    bench = Bench(inner=1)
    try:
        bench.door.register(bench.pair)
        viewer = bench.viewer()
        inside = await bench.admit(viewer)
        bench.door.release("ada")
        assert bench.door.peers() == ()
        viewer.send(MEDIA)
        await bench.until(lambda: bench.count("dropped_stranger") == 1)
        bench.door.register(bench.pair)
        assert await bench.admit(bench.viewer()) == inside
    finally:
        bench.door.close()
        bench.stack.close()


async def test_an_agent_that_is_gone_is_counted_and_harms_nobody(bench: Bench) -> None:
    bench.door.register(bench.pair)
    viewer = bench.viewer()
    await bench.admit(viewer)
    bench.agent.close()
    viewer.send(MEDIA)
    viewer.send(MEDIA)
    await bench.until(lambda: bench.count("dropped_agent_gone") > 0)
    with bound() as agent:
        bench.agent = agent
        other = RegisterPeer("bob", "guestA", PASSWORD, "viewA", agent.getsockname()[1])
        bench.door.register(other)
        assert await bench.admit(bench.viewer())


async def test_a_viewer_that_is_gone_harms_nobody(bench: Bench) -> None:
    bench.door.register(bench.pair)
    gone = bench.viewer()
    inside = await bench.admit(gone)
    gone.close()
    for _ in range(5):
        bench.agent.sendto(MEDIA, inside)
    await bench.until(lambda: bench.count("packets_out") == 5)
    assert await bench.admit(bench.viewer())


async def test_a_burst_of_more_than_a_batch_arrives_whole(bench: Bench) -> None:
    bench.door.register(bench.pair)
    viewer = bench.viewer()
    inside = await bench.admit(viewer)
    burst = [b"\x80" + number.to_bytes(2, "big") for number in range(BATCH * 2 + 7)]
    for datagram in burst:
        bench.agent.sendto(datagram, inside)
    assert [await bench.at_viewer(viewer) for _ in burst] == burst


async def test_what_is_too_long_is_dropped_and_not_cut(bench: Bench) -> None:
    bench.door.register(bench.pair)
    viewer = bench.viewer()
    inside = await bench.admit(viewer)
    viewer.send(b"\x80" * MAX_DATAGRAM)
    bench.agent.sendto(b"\x80" * 5000, inside)
    await bench.until(lambda: bench.count("dropped_oversize") == 2)
    viewer.send(MEDIA)
    assert (await bench.at_agent())[0] == MEDIA


async def test_a_silent_source_is_forgotten_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transom_keeper.door.EXPIRY_S", 0.01)
    bench = Bench(limits=DoorLimits(source_idle_s=0.05))
    try:
        bench.door.register(bench.pair)
        await bench.admit(bench.viewer())
        await bench.until(lambda: bench.count("sources") == 0)
    finally:
        bench.door.close()
        bench.stack.close()


async def test_close_closes_every_socket_and_may_be_repeated(bench: Bench) -> None:
    bench.door.register(bench.pair)
    bench.door.close()
    bench.door.close()
    assert all(each.fileno() == -1 for each in bench.inner)
    bench.door.register(bench.pair)
    bench.door.release("ada")


async def test_sockets_that_are_none_of_its_kind_are_refused() -> None:
    loop = asyncio.get_running_loop()
    with bound() as good, socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unbound:
        for public, inner in ((tcp, [good]), (good, [tcp]), (good, [unbound])):
            with pytest.raises(ValueError, match="door takes"):
                Door(public, inner, loop)
