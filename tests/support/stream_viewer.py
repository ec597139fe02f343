"""A viewer of the stream made of aiortc, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections import deque
from typing import Any

import aioice.ice
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from tests.support.link_emulator import Direction, Shape
from tests.support.stream_lab import DEADLINE, StreamLab
from transom.stream.sdp import strip_candidates
from transom_wire.link import PeerTerms


@pytest.fixture
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiortc leaves loopback out; the lab has nothing else."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: ["127.0.0.1"])


class Narrow(Direction):
    """A slow link in front of one of a viewer's sockets."""

    def __init__(self, protocol: Any, shape: Shape) -> None:
        super().__init__(-1, -1, shape)
        self._hear, self._from = protocol.datagram_received, None
        protocol.datagram_received = self._came

    def out(self, packet: bytes) -> None:
        self._hear(packet, self._from)

    def _came(self, packet: bytes, address: Any) -> None:
        self._from = address
        self.take(packet, time.monotonic())


class Viewer:
    """One peer connection with its channels; keeps the newest frames and every message."""

    def __init__(self, lab: StreamLab, name: str, epoch: int = 1, terms: PeerTerms = PeerTerms()) -> None:
        self.lab, self.name, self.epoch, self.terms = lab, name, epoch, terms
        self.pc = RTCPeerConnection()
        self.pc.addTransceiver("video", "recvonly")
        self.control = self.pc.createDataChannel("control")
        self.motion = self.pc.createDataChannel("motion", ordered=False, maxRetransmits=0)
        self.clipboard = self.pc.createDataChannel("clipboard")
        self.clipped: list[str | bytes] = []
        self.heard: list[Any] = []
        self.heard_motion: list[Any] = []
        self.frame: Any = None
        self.arrived = 0
        """RTP timestamp of the newest packet: aiortc holds the newest frame back until another comes."""
        self.frames = 0
        self.newest: deque[Any] = deque(maxlen=24)
        self._seq = 0
        self._news = asyncio.Condition()
        self._opened = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self.control.on("open", self._opened.set)
        self.control.on("message", self._hear)
        self.motion.on("message", self._hear_motion)
        self.clipboard.on("message", self._clipped)
        self.pc.on("track", self._track)

    async def connect(self) -> Viewer:
        """Offer, take the answer, wait for the channel and the first frame."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        offer = strip_candidates(self.pc.localDescription.sdp)
        answer = await self.lab.answer(self.name, self.epoch, offer, self.terms)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(DEADLINE):
            await self._opened.wait()
        await self.until(lambda: self.frames > 0)
        return self

    def ask_for_key(self) -> None:
        """By RTCP, as a browser does after three seconds without a frame."""
        video = self.lab.answers[self.name, self.epoch].partition("m=video")[2]
        ssrc = int(re.findall(r"a=ssrc:(\d+) cname:", video)[0])
        self._asking = asyncio.ensure_future(self.pc.getReceivers()[0]._send_rtcp_pli(ssrc))

    def say(self, tag: str, *fields: Any) -> None:
        """Send a message with the next sequence number."""
        self._seq += 1
        self.control.send(json.dumps([tag, self._seq, *fields]))

    def tap(self, keysym: int) -> None:
        """Press and release a key."""
        self.say("k", keysym, 1)
        self.say("k", keysym, 0)

    async def until(self, holds: Any) -> None:
        """Wait until `holds()`, asked after each frame and message."""
        try:
            async with asyncio.timeout(DEADLINE), self._news:
                await self._news.wait_for(holds)
        except TimeoutError:
            raise AssertionError(f"never seen: {self.frames} frames, heard {self.heard[-5:]}") from None

    async def sees(self, colour: str, x: int = 50, y: int = 50) -> None:
        """Wait until the pixel has this colour: red or black."""
        await self.until(lambda: self.frame is not None and name_of(pixel(self.frame, x, y)) == colour)

    def narrow(self, shape: Shape) -> Narrow:
        """From now on what comes to it has such a link to pass."""
        (transport,) = self.pc._RTCPeerConnection__iceTransports
        return Narrow(transport._connection._nominated[1].protocol, shape)

    def vanish(self) -> None:
        """Cut the wire: nothing more is said, no goodbye, and nothing is answered."""
        for transport in self.pc._RTCPeerConnection__iceTransports:
            for protocol in transport._connection._protocols:
                protocol.transport.abort()

    async def close(self) -> None:
        await self.pc.close()
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading

    def _hear(self, text: str) -> None:
        self.heard.append(json.loads(text))
        self._tell = asyncio.ensure_future(self._notify())

    def _hear_motion(self, text: str) -> None:
        self.heard_motion.append(json.loads(text))
        self._tell = asyncio.ensure_future(self._notify())

    def _clipped(self, message: str | bytes) -> None:
        self.clipped.append(message)
        self._tell = asyncio.ensure_future(self._notify())

    def _track(self, track: Any) -> None:
        self._reading = asyncio.ensure_future(self._read(track))
        receiver: Any = self.pc.getReceivers()[0]
        handle = receiver._handle_rtp_packet

        def handled(packet: Any, **rest: Any) -> Any:
            self.arrived = packet.timestamp
            return handle(packet, **rest)

        receiver._handle_rtp_packet = handled

    async def _read(self, track: Any) -> None:
        with contextlib.suppress(Exception):
            while True:
                self.frame = await track.recv()
                self.newest.append(self.frame)
                self.frames += 1
                await self._notify()

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()


def pixel(frame: Any, x: int, y: int) -> tuple[int, int, int]:
    """Red, green, blue of one pixel of an av.VideoFrame."""
    plane = frame.reformat(format="rgb24").planes[0]
    at = y * plane.line_size + 3 * x
    red, green, blue = bytes(plane)[at : at + 3]
    return red, green, blue


def luma(frame: Any, width: int, height: int) -> list[list[int]]:
    """The luma of the upper left part of an av.VideoFrame, row by row."""
    plane = frame.planes[0]
    data, line = bytes(plane), plane.line_size
    return [list(data[row * line : row * line + width]) for row in range(height)]


def name_of(colour: tuple[int, int, int]) -> str:
    """The name of a primary colour as video shows it."""
    red, green, blue = colour
    if max(green, blue) > 90:
        return "other"
    return "red" if red > 180 else "black" if red < 60 else "other"
