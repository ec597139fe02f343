"""A stream server of the test's own: coloured pictures by aiortc, and everything the viewer sends, kept."""

from __future__ import annotations

import asyncio
import fractions
import json
import re
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import aioice.ice
from aiortc import MediaStreamTrack, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from av import VideoFrame

FPS = 20
CLOCK = 90_000
CURSOR = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR4nGP4z8CAFWEXHbQSACj/P8Fu7N9hAAAAAElFTkSuQmCC"
)
"""A PNG of 8 x 8 pixels."""

# The tests' host may have no other address than loopback, and needs none.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class Picture(MediaStreamTrack):
    """One colour, as many times a second as it takes; `frozen` stops it."""

    kind = "video"

    def __init__(self, guest: FakeGuest) -> None:
        super().__init__()
        self._guest = guest
        self._count = 0

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(1 / FPS)
        while self._guest.frozen:
            await asyncio.sleep(0.05)
        width, height = self._guest.size
        frame = VideoFrame(width, height, "rgb24")
        red, green, blue = self._guest.colour
        plane = frame.planes[0]
        row = bytes((red, green, blue)) * width
        plane.update((row + bytes(plane.line_size - len(row))) * height)
        self._count += 1
        self._guest.pictures += 1
        frame.pts = self._count * CLOCK // FPS
        frame.time_base = fractions.Fraction(1, CLOCK)
        return frame


class FakeGuest:
    """Lives on a loop of its own, so that a controller may die without it."""

    def __init__(self) -> None:
        self.colour = (200, 40, 40)
        self.size = (640, 360)
        self.frozen = False
        self.pictures = 0
        """Sent so far, whatever they showed."""
        self.blocked = False
        """Answers name a port where nobody listens: as a network that eats UDP."""
        self.control: list[list[Any]] = []
        self.motion: list[list[Any]] = []
        self.offers = 0
        self._peers: dict[str, RTCPeerConnection] = {}
        self._channels: list[RTCDataChannel] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def ask(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run on the guest's loop, from another thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def answer(self, peer: str, sdp: str) -> str:
        """Called on any loop; the answer with its candidates."""
        future = asyncio.run_coroutine_threadsafe(self._answer(peer, sdp), self._loop)
        return str(await asyncio.wrap_future(future))

    async def _answer(self, peer: str, sdp: str) -> str:
        self.offers += 1
        await self._close(peer)
        connection = RTCPeerConnection()
        self._peers[peer] = connection
        connection.on("datachannel", self._opened)
        connection.addTrack(Picture(self))
        await connection.setRemoteDescription(RTCSessionDescription(without_candidates(sdp), "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        answer = connection.localDescription.sdp
        return re.sub(r"(a=candidate:\S+ \d udp \d+ \S+) \d+", r"\1 9", answer) if self.blocked else answer

    def _opened(self, channel: RTCDataChannel) -> None:
        kept = self.control if channel.label == "control" else self.motion
        channel.on("message", lambda text: self._received(kept, channel, json.loads(text)))
        if channel.label == "control":
            self._channels.append(channel)
            channel.send(json.dumps(["size", *self.size]))
            channel.send(json.dumps(["cursor", 1, 2, 3, CURSOR]))

    def _received(self, kept: list[list[Any]], channel: RTCDataChannel, message: list[Any]) -> None:
        if message[0] == "p":
            channel.send(json.dumps(message))
            return
        kept.append(message)
        if message[0] == "s":
            self.size = (message[2], message[3])
            channel.send(json.dumps(["size", *self.size]))

    async def _close(self, peer: str) -> None:
        connection = self._peers.pop(peer, None)
        if connection is not None:
            await connection.close()

    def bye(self, peer: str) -> None:
        """The viewer let go."""
        asyncio.run_coroutine_threadsafe(self._close(peer), self._loop)

    def kill_peers(self) -> None:
        """Every peer ends at once, as when the stream server is restarted."""

        async def close() -> None:
            for peer in list(self._peers):
                await self._close(peer)

        self.ask(close())

    def say(self, message: list[Any]) -> None:
        """Send on every open control channel."""

        async def send() -> None:
            for channel in self._channels:
                if channel.readyState == "open":
                    channel.send(json.dumps(message))

        self.ask(send())

    def rtp_time(self) -> int:
        """The RTP timestamp of the picture that was sent last."""
        (sender,) = next(iter(self._peers.values())).getSenders()[:1]
        timestamp: int = sender._RTCRtpSender__rtp_timestamp
        return timestamp

    def got(self, tag: str, where: Callable[[list[Any]], bool] = lambda _: True) -> list[list[Any]]:
        """Messages with this tag so far, on either channel."""
        return [message for message in [*self.control, *self.motion] if message[0] == tag and where(message)]

    def close(self) -> None:
        self.frozen = False
        self.kill_peers()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()


def without_candidates(sdp: str) -> str:
    """As the controller does."""
    lines = sdp.splitlines()
    return "\r\n".join(line for line in lines if not line.startswith(("a=candidate", "a=end-of"))) + "\r\n"
