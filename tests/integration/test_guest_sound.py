"""The desktop's sound and a viewer's microphone, with PulseAudio in the golden image and aiortc as the viewer."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import math
import shlex
import struct
from collections.abc import AsyncIterator
from typing import Any

import av
import pytest
from aiortc import MediaStreamTrack

from tests.support.image import GoldenImage, golden_image
from tests.support.stream_lab import StreamLab, stream_lab
from tests.support.stream_viewer import Viewer, loopback_only
from transom_guest.desktop.sound import command
from transom_wire.link import PeerTerms

__all__ = ["golden_image", "loopback_only"]
pytestmark = [pytest.mark.machine, pytest.mark.usefixtures("loopback_only")]

PLAY = "gst-launch-1.0 -q audiotestsrc num-buffers=75 ! audio/x-raw,rate=48000 ! pulsesink device=desktop"
LISTEN = (
    "parec -d mic --rate=8000 --channels=1 --format=s16le --latency-msec=50 | python3 -u -c '"
    "import array, sys\n"
    "while block := sys.stdin.buffer.read(3200):\n"
    '    print("loud" if max(map(abs, array.array("h", block))) > 2000 else "still")\''
)
BESIDE = (
    "mkdir -p /run/user/pulse\n"
    f"{shlex.join(command({'XDG_RUNTIME_DIR': '/run/user'}))} 2>/dev/null &\n"
    "until pactl info >/dev/null 2>&1; do sleep 0.05; done\n"
    f"( while :; do {PLAY}; sleep 3; done ) >/dev/null 2>&1 &\n"
    f"{LISTEN} &\n"
)
LOUD = 2000
"""Of 32767."""


class Tone(MediaStreamTrack):
    """A microphone somebody whistles into."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._at = 0

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(0.02)
        wave = [int(12000 * math.sin(2 * math.pi * 440 * (self._at + n) / 48000)) for n in range(960)]
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        frame.planes[0].update(struct.pack("<960h", *wave))
        frame.pts, frame.sample_rate, frame.time_base = self._at, 48000, fractions.Fraction(1, 48000)
        self._at += 960
        return frame


class Listener(Viewer):
    """A viewer that takes sound, and whistles."""

    def __init__(self, lab: StreamLab, name: str, *, microphone: bool = False) -> None:
        super().__init__(lab, name, terms=PeerTerms(microphone=microphone))
        self.pc.addTransceiver(Tone(), "sendrecv")
        self.loud = self.packets = 0
        self._hearing: asyncio.Task[None] | None = None

    def _track(self, track: Any) -> None:
        if track.kind == "audio":
            self._hearing = asyncio.ensure_future(self._listen(track))
        else:
            super()._track(track)

    async def _listen(self, track: Any) -> None:
        with contextlib.suppress(Exception):
            while True:
                frame = await track.recv()
                self.packets += 1
                samples = memoryview(bytes(frame.planes[0])).cast("h")
                self.loud += max(map(abs, samples)) > LOUD
                await self._notify()

    async def close(self) -> None:
        await super().close()
        if self._hearing is not None:
            self._hearing.cancel()


@pytest.fixture
async def lab(golden_image: GoldenImage) -> AsyncIterator[StreamLab]:
    async with stream_lab(golden_image.root(golden_image.digest), BESIDE) as running:
        yield running


async def test_what_plays_is_heard_and_nothing_is_sent_while_nothing_plays(lab: StreamLab) -> None:
    viewer = await Listener(lab, "ears").connect()
    try:
        await viewer.until(lambda: viewer.loud > 20)
        # played for a second and a half, then still for three: a whole second without a packet
        for _ in range(80):
            before = viewer.packets
            await asyncio.sleep(1)
            if viewer.packets == before:
                break
        assert viewer.packets == before
        assert "m=audio" in lab.answers["ears", 1]
        sounds = [line for line in lab.answers["ears", 1].splitlines() if line.startswith("a=msid:")]
        assert len({line.split()[0] for line in sounds}) == len(sounds)
        section = lab.answers["ears", 1].partition("m=audio")[2].partition("m=")[0]
        assert section.count("a=ssrc:") >= 1
    finally:
        await viewer.close()


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_microphone_is_heard_where_the_terms_allow_it(lab: StreamLab, allowed: bool) -> None:
    viewer = await Listener(lab, "mouth", microphone=allowed).connect()
    try:
        if allowed:
            await lab.feels("loud", "loud", "loud")
        else:
            await asyncio.sleep(3)
            assert "loud" not in lab.felt and "still" in lab.felt
            section = lab.answers["mouth", 1].partition("m=audio")[2].partition("m=")[0]
            assert "a=sendonly" in section
    finally:
        await viewer.close()
