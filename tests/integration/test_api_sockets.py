"""The two WebSockets: what they carry, and that they never end without a code and a reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.api import Api, close_of, serving
from tests.support.sdps import answer, offer
from tests.support.waiting import until
from transom.api import events, sockets, streams
from transom_wire.channel import CHUNK, FRAME_LIMIT, ChannelViewer, Content, framed, opened
from transom_wire.framing import FrameReader
from transom_wire.link import PeerAnswer
from transom_wire.peers import PeerTerms


@dataclass
class Bench:
    api: Api
    client: httpx.AsyncClient
    bearer: str
    session: str

    def events(self) -> Any:
        return self.api.socket(f"/api/sessions/{self.session}/events", Authorization=self.bearer)

    def vnc(self) -> Any:
        address = self.api.url.replace("http", "ws", 1) + f"/api/sessions/{self.session}/vnc"
        return connect(
            address, additional_headers={"Authorization": self.bearer}, subprotocols=[Subprotocol("binary")]
        )

    def clipboard(self, peer: str) -> Any:
        return self.api.socket(f"/api/sessions/{self.session}/channel?peer={peer}", Authorization=self.bearer)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with serving(tmp_path) as api:
        client = await api.client(await api.user("ada"))
        session = await api.ready_session(client)
        yield Bench(api, client, client.headers["Authorization"], session)
        await client.aclose()


async def next_of(socket: Any, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


async def say(socket: Any, **message: Any) -> None:
    await socket.send(json.dumps(message))


async def test_an_offer_and_its_answer(bench: Bench) -> None:
    async with bench.events() as socket:
        assert (await next_of(socket, "session"))["session"]["id"] == bench.session
        await say(socket, type="offer", peer="tab", epoch=1, sdp=offer())
        await until(lambda: bench.api.offers(bench.session))
        bench.api.driver.of(bench.session).say("webrtc", PeerAnswer("tab", 1, answer()))
        answered = await next_of(socket, "answer")
        assert (answered["peer"], answered["epoch"]) == ("tab", 1)
        assert "41000 typ host" in answered["sdp"]
        await say(socket, type="bye", peer="tab", epoch=1)
        await until(
            lambda: any(b"peer_close" in body for _, body in bench.api.driver.of(bench.session).to_guest())
        )


async def test_what_cannot_be_is_refused_and_the_socket_lives(bench: Bench) -> None:
    async with bench.events() as socket:
        for text in ("not json", "[]", "7", '{"type":"dance"}', "[" * 100_000, '{"type":"offer"}'):
            await socket.send(text)
            refused = await next_of(socket, "refused")
            assert refused["peer"] is None
        await say(socket, type="offer", peer="tab", epoch=1, sdp="garbage")
        refused = await next_of(socket, "refused")
        assert (refused["peer"], refused["epoch"], refused["code"]) == ("tab", 1, "invalid")
        await say(socket, type="offer", peer="tab", epoch=1, sdp="v=0\r\n" + "a=x\r\n" * 14_000)
        assert (await next_of(socket, "refused"))["code"] == "too_large"
        await say(socket, type="heartbeat", peer="tab", rung="vnc", first_frame=True)
        assert "first_frame" in (await next_of(socket, "session"))["session"]["timeline"]


async def test_what_is_refused_of_viewers_messages_is_counted(bench: Bench) -> None:
    """By its kind, in words of ours, whichever road it came by; the answers are as ever."""
    signalling = f"/api/webrtc/session/{bench.session}"
    ice = {"peer": "tab", "epoch": 1, "candidate": "candidate:1 1 udp 2113937151 a-b.local 5 typ host"}
    screen = f"/api/sessions/{bench.session}/screen"
    large = "v=0\r\n" + "a=x\r\n" * 14_000
    for path, body, status in (
        (f"{signalling}/offer", {"peer": "tab", "epoch": 1, "sdp": "garbage"}, 422),
        (f"{signalling}/offer", {"peer": "tab", "epoch": 1}, 422),
        (f"{signalling}/offer", {"peer": "tab", "epoch": 1, "sdp": large}, 413),
        (f"{signalling}/offer", {"peer": "tab", "epoch": 1, "sdp": large * 2}, 413),
        (f"{signalling}/candidate", ice, 202),
        (f"{signalling}/candidate", {**ice, "candidate": ""}, 202),
        (f"{signalling}/candidate", {**ice, "candidate": "candidate: rubbish"}, 202),
        (f"{signalling}/candidate", {**ice, "candidate": "x" * 5000}, 413),
        (f"{signalling}/candidate", {**ice, "surprise": 1}, 422),
        (f"/api/auth/session/{bench.session}/heartbeat", {"rung": "pigeon"}, 422),
        (screen, {"width": 32768, "height": 800}, 422),
        (f"/api/sessions/{bench.session}/seats", {"do": "dance", "peer": "tab"}, 422),
        ("/api/sessions/ses_aaaaaaaaaaaaaaaaaaaa/seats", {"do": "here", "peer": "tab"}, 404),
    ):
        answered = await bench.client.post(path, json=body)
        assert answered.status_code == status, (path, answered.text)
    async with bench.events() as socket:
        for text in (
            "[]",
            '{"type":"dance"}',
            '{"type":"bye"}',
            '{"type":"offer"}',
            '{"type":"heartbeat","x":1}',
        ):
            await socket.send(text)
            await next_of(socket, "refused")
        await say(socket, type="offer", peer="tab", epoch=1, sdp=large)
        await next_of(socket, "refused")
        await socket.send("x" * (events.MESSAGE_LIMIT + 1))
        assert (await close_of(socket))[0] == 4413
    shown = (await bench.client.get("/metrics")).text
    for event, count in (
        ("offer_malformed", 3),
        ("offer_too_large", 3),
        ("offer_limited", 0),
        ("candidate_malformed", 3),
        ("heartbeat_refused", 2),
        ("screen_refused", 1),
        ("message_malformed", 5),
    ):
        assert f'transom_signalling_events_total{{event="{event}"}} {count}.0' in shown, (event, shown)
    assert 'transom_quality_rows_total{outcome="refused"} 2.0' in shown


async def test_changes_are_told_and_the_end_has_its_reason(bench: Bench) -> None:
    async with bench.events() as socket:
        await next_of(socket, "session")
        await bench.client.delete(f"/api/sessions/{bench.session}")
        states = []
        async with asyncio.timeout(10):
            while "ended" not in states:
                states.append((await next_of(socket, "session"))["session"]["state"])
        assert await close_of(socket) == (4410, "stopped")
    async with bench.events() as socket:
        assert (await next_of(socket, "session"))["session"]["state"] == "ended"
        assert await close_of(socket) == (4410, "stopped")


async def test_unknown_sessions_and_messages_that_are_too_large(bench: Bench) -> None:
    path = "/api/sessions/ses_aaaaaaaaaaaaaaaaaaaa/events"
    async with bench.api.socket(path, Authorization=bench.bearer) as socket:
        assert (await close_of(socket))[0] == 4404
    async with bench.events() as socket:
        await socket.send("x" * (events.MESSAGE_LIMIT + 1))
        assert (await close_of(socket))[0] == 4413


async def test_a_page_that_doubts_its_socket_is_answered(bench: Bench) -> None:
    async with bench.events() as socket:
        await say(socket, type="ping")
        assert await next_of(socket, "pong") == {"type": "pong"}


async def test_floods_and_crowds_are_turned_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BURST_S", 3600.0)
    async with bench.events() as socket:
        for _ in range(events.BURST + 1):
            await say(socket, type="pong")
        assert (await close_of(socket))[0] == 4429
    text = (await bench.client.get("/metrics")).text
    assert 'transom_signalling_events_total{event="message_limited"} 1.0' in text
    crowd = [await bench.events() for _ in range(16)]
    try:
        for socket in crowd:
            await next_of(socket, "session")
        async with bench.events() as socket:
            assert (await close_of(socket))[0] == 4429
    finally:
        for socket in crowd:
            await socket.close()


async def test_a_silent_page_is_let_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PING_S", 0.02)
    monkeypatch.setattr(events, "SILENT_S", 0.5)
    async with bench.events() as socket:
        assert (await next_of(socket, "ping")) == {"type": "ping"}
        assert (await close_of(socket))[0] == 4408


async def test_a_page_that_signs_out_is_let_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PING_S", 0.02)
    monkeypatch.setattr(sockets, "RECHECK_S", 0.0)
    async with bench.events() as socket:
        await next_of(socket, "session")
        for token in (await bench.client.get("/api/tokens")).json():
            await bench.client.delete(f"/api/tokens/{token['id']}")
        assert (await close_of(socket))[0] == 4401


async def serve_display(bench: Bench) -> asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A display that greets; each connection's inner end comes by the queue."""
    joined: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"RFB 003.008\n")
        joined.put_nowait((reader, writer))

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    bench.api.driver.stream = lambda: asyncio.open_connection("127.0.0.1", port)
    return joined


async def test_rfb_passes_both_ways(bench: Bench) -> None:
    joined = await serve_display(bench)
    async with bench.vnc() as socket:
        assert socket.subprotocol == "binary"
        assert await socket.recv() == b"RFB 003.008\n"
        reader, writer = await joined.get()
        await socket.send(b"RFB 003.008\n")
        assert await reader.readexactly(12) == b"RFB 003.008\n"
        picture = bytes(range(256)) * 8192
        writer.write(picture)
        got = b""
        while len(got) < len(picture):
            got += await socket.recv()
        assert got == picture
        writer.close()
        assert (await close_of(socket))[0] == 4503


async def test_a_display_that_cannot_be_reached(bench: Bench) -> None:
    async with bench.vnc() as socket:
        assert await close_of(socket) == (4503, "the machine's display cannot be reached")


async def test_the_end_of_a_session_ends_its_display(bench: Bench) -> None:
    await serve_display(bench)
    async with bench.vnc() as socket:
        await socket.recv()
        await bench.client.delete(f"/api/sessions/{bench.session}")
        assert await close_of(socket) == (4410, "stopped")
    async with bench.vnc() as socket:
        assert (await close_of(socket))[0] == 4410


async def test_a_viewer_that_signs_out_loses_the_display(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "RECHECK_S", 0.02)
    await serve_display(bench)
    async with bench.vnc() as socket:
        await socket.recv()
        for token in (await bench.client.get("/api/tokens")).json():
            await bench.client.delete(f"/api/tokens/{token['id']}")
        assert await close_of(socket) == (4401, "sign in again")


async def test_too_many_displays_and_too_large_a_message(bench: Bench) -> None:
    await serve_display(bench)
    crowd = []
    try:
        for _ in range(8):  # each has its seat before the next comes: the first drives, the others watch
            crowd.append(await bench.vnc())
            await crowd[-1].recv()
        async with bench.vnc() as socket:
            assert (await close_of(socket))[0] == 4429
        for socket in (crowd[0], crowd[-1]):  # also where a watcher's pace has room for it in a minute
            await socket.send(b"x" * (1024 * 1024 + 1))
            assert (await close_of(socket))[0] == 4413
    finally:
        for socket in crowd:
            await socket.close()


async def test_input_by_vnc_counts_as_being_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "TOUCH_S", 0.0)
    joined = await serve_display(bench)
    before = (await bench.api.sessions.ledger.get(bench.session)).last_seen_at
    async with bench.vnc() as socket:
        reader, _ = await joined.get()
        async with asyncio.timeout(10):
            while (await bench.api.sessions.ledger.get(bench.session)).last_seen_at <= before:
                await socket.send(b"\x04")
                await reader.readexactly(1)


class Inside:
    """The machine's end of a stream of kind `channel`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._frames, self._read = FrameReader(FRAME_LIMIT), list[bytes]()

    async def next(self) -> Content:
        async with asyncio.timeout(10):
            while not self._read:
                self._read += self._frames.feed(await self.reader.read(65536))
        return opened(self._read.pop(0))

    def say(self, content: Content) -> None:
        self.writer.write(framed(content))


async def serve_clips(bench: Bench) -> asyncio.Queue[Inside]:
    """A machine's clipboard; each connection's inner end comes by the queue."""
    joined: asyncio.Queue[Inside] = asyncio.Queue()
    server = await asyncio.start_server(lambda r, w: joined.put_nowait(Inside(r, w)), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    bench.api.driver.stream = lambda: asyncio.open_connection("127.0.0.1", port)
    return joined


async def test_clipboards_pass_both_ways_by_the_terms_of_a_seat(bench: Bench) -> None:
    joined = await serve_clips(bench)
    async with bench.clipboard("a") as socket:
        inside = await joined.get()
        assert bench.api.driver.streams[-1][1] == "channel"
        hello = await inside.next()
        assert isinstance(hello, ChannelViewer)
        assert (hello.peer, hello.terms.drives, hello.terms.clipboard) == ("a", True, "both")
        await socket.send('["put", 1, "text/plain", 3, 0]')
        await socket.send(b"abc")
        assert [await inside.next(), await inside.next()] == ['["put", 1, "text/plain", 3, 0]', b"abc"]
        inside.say('["got", 1]')
        inside.say(b"y" * CHUNK)
        assert [await socket.recv(), await socket.recv()] == ['["got", 1]', b"y" * CHUNK]
        # what the machine says it did not take is counted, but for what came too late
        for word in ('["no", 2, "size"]', '["no", 3, "older"]'):
            inside.say(word)
            assert await socket.recv() == word
        shown = (await bench.client.get("/metrics")).text
        assert 'transom_viewer_messages_dropped_total{why="clipboard"} 1.0' in shown
        # the second viewer watches; given the desktop, it has the clipboard and the first has none
        async with bench.clipboard("b"):
            other = await joined.get()
            hello = await other.next()
            assert isinstance(hello, ChannelViewer)
            assert (hello.peer, hello.terms.drives) == ("b", False)
            path = f"/api/sessions/{bench.session}/seats"
            given = await bench.client.post(path, json={"do": "give", "peer": "a", "to": "b"})
            assert given.status_code == 200, given.text
            told = [await inside.next(), await other.next()]
            assert [one.terms.drives for one in told if isinstance(one, ChannelViewer)] == [False, True]


async def test_a_clipboard_that_misbehaves_on_either_side_is_cut(bench: Bench) -> None:
    joined = await serve_clips(bench)
    for content in (b"x" * (CHUNK + 1), "ü" * (CHUNK // 2 + 1)):
        async with bench.clipboard("a") as socket:
            await joined.get()
            await socket.send(content)
            assert (await close_of(socket))[0] == 4413
    async with bench.clipboard("a"), bench.clipboard("w") as watcher:
        assert [(await joined.get()) is not None for _ in range(2)]
        await watcher.send(b"x" * 2**20)
        assert (await close_of(watcher))[0] == 4413
    for garbage in (b"\xff" * 8, framed(ChannelViewer("a", PeerTerms())), b"\0\0\0\1q"):
        async with bench.clipboard("a") as socket:
            inside = await joined.get()
            inside.writer.write(garbage)
            assert await close_of(socket) == (4503, "the stream broke")
    told = (await bench.client.get("/metrics")).text
    assert 'role="channel"} 3.0' in told
    bench.api.driver.stream = None
    async with bench.clipboard("a") as socket:
        assert (await close_of(socket))[0] == 4503
    address = bench.api.socket(f"/api/sessions/{bench.session}/channel?peer=a")
    async with address as socket:
        assert (await close_of(socket))[0] == 4401


async def test_the_end_of_a_session_ends_its_clipboard(bench: Bench) -> None:
    await serve_clips(bench)
    async with bench.clipboard("a") as socket:
        await bench.client.delete(f"/api/sessions/{bench.session}")
        assert await close_of(socket) == (4410, "stopped")
