"""The desktop's picture and sound, made once for all who watch: one capture, one encoder, one rate for them all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Protocol

from transom_guest.stream.capture import Capture, CaptureEvents
from transom_guest.stream.encode import AccessUnit, Encoder
from transom_guest.stream.gst import GstError
from transom_guest.stream.hindsight import Hindsight
from transom_guest.stream.marks import Marks
from transom_guest.stream.peer import Peer
from transom_guest.stream.rate_feedback import Told
from transom_guest.stream.rate_links import Links
from transom_guest.stream.recorder import Recorder
from transom_guest.stream.records import records
from transom_guest.stream.sound import Sound
from transom_guest.x11.xlib import Display
from transom_wire.link import StreamReport


class BroadcastEvents(CaptureEvents, Protocol):
    """What a broadcast tells its server, in the event loop's thread."""

    def peer_key_wanted(self, peer: Peer) -> None:
        """A viewer goes on from a key frame only."""


class Broadcast:
    """Captures, encodes and sends while, and only while, somebody watches."""

    def __init__(
        self,
        display: Display,
        events: BroadcastEvents,
        marks: Marks,
        report: Callable[[StreamReport], None],
    ) -> None:
        """Start the encoder. Raises XError, GstError."""
        self._loop = asyncio.get_running_loop()
        self._events, self._marks = events, marks
        self._watchers: tuple[Peer, ...] = ()
        self._encoder = Encoder(self._encoded, self._encoder_failed)
        self._capture = Capture(display, self._encoder, events, marks)
        self.recorder = Hindsight(Recorder(self._capture.key_wanted, lambda: self.records.finished()))
        self.records = records(self.recorder, os.environ)
        self._sound = Sound(self._played)
        self._links = Links(self._capture.follow, report, self._capture.key_wanted)
        self.failure: asyncio.Future[None] = self._loop.create_future()
        """Holds what broke in the encoder, once something has."""

    @property
    def size(self) -> tuple[int, int]:
        """The desktop's, in pixels."""
        return self._capture.size

    async def run(self) -> None:
        """Control the rate, and report of each link, until cancelled."""
        await self._links.run()

    def watch(self, peers: Iterable[Peer], *, key: bool = False) -> None:
        """Make what is made for those of `peers` who watch; a key frame first where `key`."""
        self._watchers = tuple(peer for peer in peers if peer.watching)
        self._sound.wanted(any(peer.sound is not None for peer in self._watchers))
        if self._watchers:
            self._capture.start(key=key)
        else:
            self._capture.stop()

    def expect(self, peer: Peer, seconds: float) -> bool:
        """Keep frames for a viewer that connects within so many; True when it needs a key frame."""
        peer.video.expect(seconds)
        return self._links.may_begin(self._loop.time(), peer)

    def join(self, peer: Peer) -> bool:
        """A viewer is connected; True when it needs a key frame."""
        begun = peer.video.begin()
        self._links.join(self._loop.time(), peer, told=peer.tells)
        return not begun and self._links.may_begin(self._loop.time(), peer)

    def leave(self, peer: Peer) -> None:
        """A viewer is over."""
        self._marks.leave(peer.key)
        self._links.leave(self._loop.time(), peer)

    def key_wanted(self, peer: Peer) -> None:
        """A viewer lost its picture."""
        if self._links.may_have_key(self._loop.time(), peer):
            self._capture.key_wanted(self._links.room_in(peer))

    def drawn(self, peer: Peer, rtp_time: int) -> bool:
        """A viewer has drawn the picture of this timestamp: whether there is none newer. Once all have, it is not
        repeated; a recording goes by the repeats."""
        if not (self._capture.at_rest and peer.video.drawn.take(rtp_time)):
            return False
        self._links.all_drawn(peer)
        if not self.recorder.wanted and all(each.video.drawn.all for each in self._watchers):
            self._capture.seen()
        return True

    def told(self, peer: Peer, told: Told) -> None:
        """A viewer told which packets arrived, and when, or how many did not."""
        self._links.feedback(self._loop.time(), peer, told)
        if peer.video.hopeless():
            self._events.peer_key_wanted(peer)

    def _encoded(self, unit: AccessUnit) -> None:
        """In the encoder's thread: straight on to the viewers, no event loop between."""
        waiting = [peer for peer in self._watchers if not peer.push(unit)]
        self._loop.call_soon_threadsafe(self._frame_out, waiting, unit, self._loop.time())
        if self.recorder.on:
            self._loop.call_soon_threadsafe(self.recorder.take, unit.data, unit.key, self._loop.time())

    def _played(self, packet: bytes) -> None:
        """In the sound's thread."""
        for peer in self._watchers:
            peer.play(packet)

    def _frame_out(self, waiting: list[Peer], unit: AccessUnit, now: float) -> None:
        self._links.sent(now, len(unit.data))
        self._marks.tell(now, self._watchers, unit.steps)
        self._capture.frame_out(self._links.next_frame_in(), settled=unit.settled)
        for peer in waiting:
            self._events.peer_key_wanted(peer)

    def _encoder_failed(self, element: str, what: str) -> None:
        if not self.failure.done():
            self.failure.set_exception(GstError(f"the encoder failed: {element}: {what}"))
