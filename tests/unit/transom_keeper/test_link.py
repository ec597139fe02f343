"""The relay with a guest that is honest, and with others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.waiting import until
from transom_keeper.link import LinkLimits, LinkRelay
from transom_keeper.outbox import OutboxFull
from transom_wire import WIRE_VERSION
from transom_wire.codec import decode, encode
from transom_wire.framing import FrameReader, pack
from transom_wire.link import (
    TO_GUEST,
    GuestMessage,
    Hello,
    OpenStream,
    PeerAnswer,
    PeerOffer,
    Ping,
    Progress,
    Ready,
    Welcome,
)

BOOT_TOKEN = "b" * 43
WELCOME = Welcome(
    version=WIRE_VERSION,
    session="ses_a",
    width=1280,
    height=720,
    start_url="about:blank",
    forwarder_port=3128,
)


class Sink:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, GuestMessage]] = []
        self.roles: list[tuple[str, bool]] = []
        self.reports: list[tuple[str, str]] = []
        self.full = False
        self.news = asyncio.Event()

    def received(self, role: str, message: GuestMessage, body: bytes) -> None:
        if self.full:
            raise OutboxFull
        self.heard.append((role, message))
        self.news.set()

    def role_changed(self, role: str, connected: bool) -> None:
        self.roles.append((role, connected))
        self.news.set()

    def misbehaved(self, role: str, reason: str) -> None:
        self.reports.append((role, reason))
        self.news.set()

    async def until(self, true: object) -> None:
        async with asyncio.timeout(10):
            while not true():  # type: ignore[operator]
                self.news.clear()
                await self.news.wait()


class Guest:
    """One connection of the guest's, with no manners unless asked."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._frames, self._ready = FrameReader(), list[bytes]()

    def say(self, message: object) -> None:
        self.writer.write(pack(encode(message)))  # type: ignore[arg-type]

    def hello(self, role: str, token: str, stream: str | None = None, version: int = WIRE_VERSION) -> None:
        self.say(Hello(version=version, role=role, token=token, stream=stream))

    async def hear(self, role: str = "boot") -> object:
        while not self._ready:
            data = await asyncio.wait_for(self.reader.read(65536), 10)
            if not data:
                raise EOFError
            self._ready += self._frames.feed(data)
        return decode(self._ready.pop(0), TO_GUEST.get(role, (Welcome,)))

    async def closed(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(65536), 10) == b""
        except ConnectionError:
            return True


class Scene:
    """A relay on a loopback port, and guests that dial it."""

    def __init__(self, limits: LinkLimits) -> None:
        self.sink = Sink()
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self.relay = LinkRelay(listener, WELCOME, BOOT_TOKEN, self.sink, limits)
        self.guests: list[Guest] = []

    async def dial(self) -> Guest:
        guest = Guest(*await asyncio.open_connection("127.0.0.1", self.port))
        self.guests.append(guest)
        return guest

    async def boot(self) -> tuple[Guest, str]:
        guest = await self.dial()
        guest.hello("boot", BOOT_TOKEN)
        welcome = await guest.hear()
        assert isinstance(welcome, Welcome) and welcome.link_token
        return guest, welcome.link_token

    async def close(self) -> None:
        for guest in self.guests:
            guest.writer.transport.abort()
        await self.relay.close()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene(LinkLimits(hello_seconds=5, stream_seconds=5))
    await made.relay.start()
    yield made
    await made.close()


async def strict(limits: LinkLimits) -> Scene:
    made = Scene(limits)
    await made.relay.start()
    return made


async def test_boot_is_told_its_machine_s_settings_and_the_link_token(scene: Scene) -> None:
    guest = await scene.dial()
    guest.hello("boot", BOOT_TOKEN)
    welcome = await guest.hear()
    assert isinstance(welcome, Welcome)
    assert replace(welcome, link_token=None) == WELCOME
    assert scene.sink.roles == [("boot", True)] and scene.relay.roles == ("boot",)


async def test_other_roles_show_the_link_token_and_learn_nothing(scene: Scene) -> None:
    _, token = await scene.boot()
    guest = await scene.dial()
    guest.hello("webrtc", token)
    assert await guest.hear("webrtc") == Welcome(version=WIRE_VERSION)
    assert scene.relay.roles == ("boot", "webrtc")


async def test_the_boot_token_works_once_and_a_boot_may_dial_again(scene: Scene) -> None:
    first, token = await scene.boot()
    second = await scene.dial()
    second.hello("boot", BOOT_TOKEN)
    assert await second.closed()
    third = await scene.dial()
    third.hello("boot", token)
    assert isinstance(await third.hear(), Welcome)
    assert await first.closed()
    assert scene.relay.roles == ("boot",)


@pytest.mark.parametrize("token", ["x" * 43, BOOT_TOKEN])
async def test_no_role_but_boot_comes_first(scene: Scene, token: str) -> None:
    guest = await scene.dial()
    guest.hello("webrtc", token)
    assert await guest.closed()
    assert scene.relay.roles == () and scene.sink.roles == []


async def test_another_version_is_refused(scene: Scene) -> None:
    guest = await scene.dial()
    guest.hello("boot", BOOT_TOKEN, version=WIRE_VERSION + 1)
    assert await guest.closed()
    assert await scene.boot(), "and has not used the token up"


async def test_the_newest_of_a_role_wins(scene: Scene) -> None:
    _, token = await scene.boot()
    guests = []
    for _ in range(3):
        guest = await scene.dial()
        guest.hello("signin", token)
        await guest.hear("signin")
        guests.append(guest)
    assert await guests[0].closed() and await guests[1].closed()
    assert scene.relay.send("signin", encode(Ping()))
    assert await guests[2].hear("signin") == Ping()
    assert ("signin", False) not in scene.sink.roles


async def test_a_role_that_goes_away_is_noticed(scene: Scene) -> None:
    guest, _ = await scene.boot()
    guest.writer.close()
    await scene.sink.until(lambda: ("boot", False) in scene.sink.roles)
    assert not scene.relay.send("boot", encode(Ping()))
    assert scene.relay.counts["undelivered"] == 1


async def test_messages_of_a_role_reach_the_sink_and_pings_do_not(scene: Scene) -> None:
    guest, token = await scene.boot()
    webrtc = await scene.dial()
    webrtc.hello("webrtc", token)
    guest.say(Ping())
    guest.say(Progress(stage="display"))
    webrtc.say(PeerAnswer(peer="p", epoch=1, sdp="v=0"))
    await scene.sink.until(lambda: len(scene.sink.heard) == 2)
    assert ("boot", Progress(stage="display")) in scene.sink.heard
    assert ("webrtc", PeerAnswer(peer="p", epoch=1, sdp="v=0")) in scene.sink.heard


@pytest.mark.parametrize("message", [Ready(640, 480), PeerOffer("p", 1, "x"), WELCOME])
async def test_a_message_of_another_role_or_direction_closes_and_is_reported(
    scene: Scene, message: object
) -> None:
    _, token = await scene.boot()
    guest = await scene.dial()
    guest.hello("signin", token)
    await guest.hear("signin")
    guest.say(message)
    assert await guest.closed()
    await scene.sink.until(lambda: scene.sink.reports)
    assert scene.sink.reports[0][0] == "signin" and scene.sink.heard == []
    assert scene.relay.roles == ("boot",)


async def test_a_flood_is_cut_off_and_the_others_go_on() -> None:
    scene = await strict(LinkLimits(messages=1, messages_burst=10))
    boot, token = await scene.boot()
    guest = await scene.dial()
    guest.hello("webrtc", token)
    for _ in range(50):
        guest.say(Ping())
    assert await guest.hear("webrtc") and await guest.closed()
    await scene.sink.until(lambda: scene.sink.reports)
    assert "floods" in scene.sink.reports[0][1]
    boot.say(Progress(stage="desktop"))
    await scene.sink.until(lambda: scene.sink.heard)
    await scene.close()


async def test_bytes_are_counted_too() -> None:
    scene = await strict(LinkLimits(bytes=1, bytes_burst=1000))
    _, token = await scene.boot()
    guest = await scene.dial()
    guest.hello("webrtc", token)
    await guest.hear("webrtc")
    guest.say(PeerAnswer(peer="p", epoch=1, sdp="x" * 2000))
    assert await guest.closed()
    assert scene.sink.heard == []
    await scene.close()


async def test_a_box_full_of_credentials_cuts_the_sender_off_aloud(scene: Scene) -> None:
    guest, _ = await scene.boot()
    scene.sink.full = True
    guest.say(Progress(stage="display"))
    assert await guest.closed()
    await scene.sink.until(lambda: scene.sink.reports)
    assert "credentials" in scene.sink.reports[0][1]


async def test_reports_are_not_a_flood_of_their_own() -> None:
    scene = await strict(LinkLimits(reports=0.001, reports_burst=2))
    _, token = await scene.boot()
    for _ in range(6):
        guest = await scene.dial()
        guest.hello("signin", token)
        guest.say(Ready(640, 480))
        assert await guest.hear("signin") and await guest.closed()
    assert len(scene.sink.reports) == 2
    assert scene.relay.counts["reports"] == 6
    await scene.close()


async def test_connections_are_bounded_in_number_and_rate() -> None:
    scene = await strict(LinkLimits(connections=3))
    idle = [await scene.dial() for _ in range(3)]
    await until(lambda: scene.relay.counts["connections"] == 3)
    assert await (await scene.dial()).closed()
    idle[0].writer.close()
    await scene.close()
    scene = await strict(LinkLimits(connects=0.001, connects_burst=2))
    for _ in range(4):
        (await scene.dial()).writer.close()
    await until(lambda: scene.relay.counts["garbage"] >= 4)
    assert scene.relay.counts["connections"] == 2
    await scene.close()


async def test_whoever_says_nothing_is_closed() -> None:
    scene = await strict(LinkLimits(hello_seconds=0.05, silence_seconds=0.1, ping_seconds=0.02))
    silent = await scene.dial()
    assert await silent.closed()
    guest, _ = await scene.boot()
    assert await guest.hear() == Ping()
    await scene.sink.until(lambda: ("boot", False) in scene.sink.roles)
    await scene.close()


async def test_a_stream_is_asked_for_and_joined(scene: Scene) -> None:
    boot, token = await scene.boot()
    asked = asyncio.ensure_future(scene.relay.open_stream("vnc"))
    order = await boot.hear()
    assert isinstance(order, OpenStream) and order.kind == "vnc"
    guest = await scene.dial()
    guest.hello("stream", token, order.stream)
    guest.writer.write(b"early")
    assert await guest.hear("stream") == Welcome(version=WIRE_VERSION)
    joined = await asked
    assert joined is not None
    reader, writer = joined
    guest.writer.write(b" RFB")
    assert await reader.readexactly(9) == b"early RFB"
    writer.write(b"back")
    assert await guest.reader.readexactly(4) == b"back"
    again = await scene.dial()
    again.hello("stream", token, order.stream)
    assert await again.closed()
    writer.close()


@pytest.mark.parametrize("name", [None, "not-asked-for"])
async def test_a_stream_nobody_asked_for_is_refused(scene: Scene, name: str | None) -> None:
    _, token = await scene.boot()
    guest = await scene.dial()
    guest.hello("stream", token, name)
    assert await guest.closed()


async def test_a_stream_the_guest_does_not_dial_is_none() -> None:
    scene = await strict(LinkLimits(stream_seconds=0.05))
    assert await scene.relay.open_stream("vnc") is None, "no boot"
    await scene.boot()
    assert await scene.relay.open_stream("vnc") is None
    await scene.close()


async def test_streams_asked_for_at_once_are_bounded() -> None:
    scene = await strict(LinkLimits(streams=2, stream_seconds=0.2))
    boot, _ = await scene.boot()
    assert await asyncio.gather(*(scene.relay.open_stream("vnc") for _ in range(5))) == [None] * 5
    asked = 0
    with pytest.raises((TimeoutError, EOFError)):
        while True:
            async with asyncio.timeout(0.1):
                asked += isinstance(await boot.hear(), OpenStream)
    assert asked == 2
    await scene.close()


async def test_a_guest_that_does_not_read_is_closed() -> None:
    scene = await strict(LinkLimits(unsent=10_000))
    guest, _ = await scene.boot()
    offer = encode(PeerOffer(peer="p", epoch=1, sdp="x" * 60_000))
    for _ in range(500):
        if not scene.relay.send("boot", offer):
            break
    else:
        raise AssertionError("all of it was queued")
    assert scene.sink.reports[0][0] == "boot"
    guest.writer.transport.abort()
    await scene.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    garbage=st.one_of(st.binary(max_size=600), st.binary(max_size=300).map(lambda each: pack(each or b"x")))
)
async def test_garbage_breaks_nothing(garbage: bytes) -> None:
    scene = await strict(LinkLimits())
    _, token = await scene.boot()
    hello_bytes = pack(encode(Hello(version=WIRE_VERSION, role="webrtc", token=token)))
    for hello in (b"", hello_bytes):
        guest = await scene.dial()
        guest.writer.write(hello + garbage)
        guest.writer.write_eof()
        await guest.closed()
    assert scene.relay.roles[0] == "boot"
    assert all(not isinstance(each, Progress) for _, each in scene.sink.heard)
    await scene.close()
