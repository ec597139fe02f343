"""One viewer's peer connection: its video's RTP packets ! webrtcbin in a pipeline of its own.

GStreamer calls back in its own threads; everything goes on to the event loop from there. PyGObject
crashes when it drops what webrtcbin still uses, so promises, their replies, descriptions, channels
and the ICE objects are kept until the pipeline is down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol, cast

from transom_guest.stream import certificate, ice_agent
from transom_guest.stream.allowance import PING_BURST, PING_RATE, Allowance
from transom_guest.stream.channels import Channels
from transom_guest.stream.clip_channel import ClipChannel, ClipEvents
from transom_guest.stream.encode import AccessUnit
from transom_guest.stream.ending import Ending
from transom_guest.stream.gst import (
    Gst,
    GstError,
    GstVideo,
    GstWebRTC,
    make,
    unwatch_bus,
    watch_bus,
)
from transom_guest.stream.inbound import Inbound
from transom_guest.stream.negotiation import Negotiation
from transom_guest.stream.offer import H264, with_fingerprint
from transom_guest.stream.peer_sound import PeerSound
from transom_guest.stream.rate_feedback import Told, packets_of, watch_repairs, watch_reports
from transom_guest.stream.sctp_stack import STACK
from transom_guest.stream.sound_offer import Opus
from transom_guest.stream.video import Video
from transom_wire.link import PeerTerms

log = logging.getLogger("transom.stream")


class PeerEvents(ClipEvents, Protocol):
    """What a peer tells its server, in the event loop's thread."""

    def peer_state(self, peer: Peer, state: str, reason: str) -> None: ...
    def peer_open(self, peer: Peer) -> None:
        """The control channel is open."""

    def peer_message(self, peer: Peer, text: str | None, channel: str) -> None:
        """Text from one of its channels; None for a message that is not even text, or one too many."""

    def peer_key_wanted(self, peer: Peer) -> None:
        """Its browser asks for a key frame, and has not drawn all there is."""

    def peer_told(self, peer: Peer, told: Told) -> None:
        """Feedback on what was sent."""


class Peer:
    """Answers one offer, then sends what it is given until `close`."""

    def __init__(
        self, name: str, epoch: int, codec: H264, events: PeerEvents, opus: Opus | None = None
    ) -> None:
        """Build the pipeline and start it. Raises GstError."""
        self.name, self.epoch = name, epoch
        log.info("peer %s is offered", self.key)
        self.state = "new"
        self._shown = False
        self.seen_cursors: set[int] = set()
        self.malformed = self.dropped = self.sizes = self.clips = 0
        """Messages that were none, of input it sent as a watcher, and of sizes that no desktop has."""
        self.terms, self.pings = PeerTerms(), Allowance(PING_RATE, PING_BURST)
        self._events, self._loop = events, asyncio.get_running_loop()
        self.clipboard = ClipChannel(self, events)
        self._kept: list[Any] = []
        self._handlers: list[tuple[Any, int]] = []
        self._channels = Channels(
            self, self.clipboard, connect=self._connect, keep=self._kept.append, to_loop=self._to_loop
        )
        self._inbound = Inbound(lambda what: self._to_loop(self.channels_flooded, what))
        self._closed = False
        self._ending = Ending()
        self._pipeline = self._webrtc = self._probe = cast("Any", None)
        self.video = Video(codec)
        self.tells = codec.twcc is not None
        """The viewer offered to tell which packets arrive."""
        self._negotiation = Negotiation(codec, opus, keep=self._kept, to_loop=self._to_loop)
        self._certificate, self._opus = certificate.make(), opus
        self.sound: PeerSound | None = None
        self._association = STACK.hold()
        try:
            self._build()
        except GstError:
            self._pipeline.set_state(Gst.State.NULL)
            STACK.release(self._association)
            raise

    @property
    def key(self) -> str:
        """Names this one try among all peers of the server's life."""
        return f"{self.name}/{self.epoch}"

    @property
    def watching(self) -> bool:
        """True when frames reach the viewer, or are kept for it: it is just connecting."""
        return self.connected or self.video.expected

    @property
    def connected(self) -> bool:
        """True while what is sent reaches the viewer."""
        return self.state == "connected" and not self._closed

    async def answer(self, sdp: str) -> str:
        """Answer the offer `sdp`; candidates are in the answer. Raises GstError within ANSWER_DEADLINE."""
        answer = await self._negotiation.answer(sdp)
        log.info("peer %s is answered", self.key)
        return with_fingerprint(answer, self._certificate.fingerprint)

    def push(self, unit: AccessUnit) -> bool:
        """Send one frame, from any thread; False when the peer must wait for a key frame."""
        if not self._shown:
            self._shown = True
            log.info("peer %s has its first frame", self.key)
        return self.video.push(unit) if self.watching else True

    def hold_to(self, terms: PeerTerms) -> None:
        """Take the terms that hold from now on."""
        self.terms = terms
        self._channels.hold_to(drives=terms.drives)
        if self.sound is not None:
            self.sound.may_speak(terms.microphone)

    def misdeeds(self) -> tuple[int, ...]:
        """What was not taken: messages that were malformed, a watcher's, of sizes that no desktop has, too many at
        once; RTCP that was malformed, packets under no key of the viewer's; clipboards too large or not allowed."""
        floods = self._channels.allowance.refused + self.pings.refused + self._inbound.too_many
        inbound = self._inbound.malformed, self._inbound.forged()
        return self.malformed, self.dropped, self.sizes, floods, *inbound, self.clips

    def rtp_time(self, seconds: float) -> int:
        """The timestamp in this peer's video of a monotonic time."""
        return self.video.rtp_time(seconds)

    def play(self, packet: bytes) -> None:
        """Send one packet of sound, from any thread."""
        if self.sound is not None and self.connected:
            self.sound.push(packet)

    def say(self, text: str, channel: str = "control") -> bool:
        """Send `text` on one of its channels; False when it is not open or too far behind."""
        return self._channels.say(text, channel)

    async def close(self) -> None:
        """Take the pipeline down. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._negotiation.close()
        self._channels.close()
        self._inbound.close()
        self.video.close()
        for owner, handler in self._handlers:
            owner.disconnect(handler)
        pad, probe = self._probe
        pad.remove_probe(probe)
        if self.sound is not None:
            await asyncio.to_thread(self.sound.close)
        await self._ending.bring(self._pipeline, self._webrtc)
        unwatch_bus(self._pipeline)
        # these hold each other through GObject, where Python's collector does not look
        self._handlers.clear()
        self._kept.clear()
        self.sound = None
        self._probe = self._webrtc = self._pipeline = None
        STACK.release(self._association)

    def _build(self) -> None:
        self._pipeline = Gst.Pipeline.new(None)
        self._connect(self._pipeline, "deep-element-added", self._added)
        self._webrtc = make("webrtcbin", bundle_policy=GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        for element in (self.video.source, self._webrtc):
            self._pipeline.add(element)
        if not self.video.source.link(self._webrtc):
            raise GstError("the peer's elements do not fit together")
        self._prepare_transceiver()
        if self._opus is not None:
            self.sound = PeerSound(self._pipeline, self._webrtc, self._opus)
            self._kept.append(self.sound.transceiver)
            self._connect(self._webrtc, "pad-added", self.sound.hear)
        self._kept += ice_agent.prepare(self._webrtc)
        self._negotiation.begin(self._webrtc, self._connect)
        self._listen()
        if self._pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
            raise GstError("the peer does not start")

    def _prepare_transceiver(self) -> None:
        transceiver = self._webrtc.emit("get-transceiver", 0)
        transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        transceiver.set_property("do-nack", True)
        # With the ssrc, which webrtcbin asks the source for, too: one that is just starting tells nothing, and
        # where the answer does not name the stream a browser decodes it and shows it to nobody.
        transceiver.set_property("codec-preferences", self.video.caps)
        self._kept.append(transceiver)

    def _added(self, _pipeline: Any, into: Any, element: Any) -> None:
        """In whichever thread builds: a certificate and a number of our own, before any handshake."""
        self._ending.watch(element)
        watch_repairs(element, self.video.again, self._kept)
        self._inbound.watch(element)
        if not self.tells:
            watch_reports(element, self.video.ssrc, self._told, self._connect)
        name = element.__gtype__.name  # not every element has a factory to ask
        if name == "GstDtlsDec":
            element.set_property("pem", self._certificate.pem)
        elif name in ("GstSctpDec", "GstSctpEnc"):
            element.set_property("sctp-association-id", self._association)
            if name == "GstSctpDec":
                self._channels.guard(element)
        elif name == "GstAppSrc" and into.__gtype__.name == "WebRTCErrorIgnoreBin":
            # a channel's end is an error that this bin takes and never frees, and the appsrc with it
            element.set_bus(None)

    def _listen(self) -> None:
        self._connect(self._webrtc, "notify::connection-state", self._connection_changed)
        self._connect(self._webrtc, "on-data-channel", self._channel_made)
        pad = self.video.source.get_static_pad("src")
        self._probe = (pad, pad.add_probe(Gst.PadProbeType.EVENT_UPSTREAM, self._upstream))
        watch_bus(self._pipeline, self._broke)

    def _connect(self, owner: Any, signal: str, handler: Callable[..., None]) -> None:
        self._handlers.append((owner, owner.connect(signal, handler)))

    # what follows runs in GStreamer's threads

    def _to_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    def _connection_changed(self, webrtc: Any, _spec: Any) -> None:
        self._to_loop(self._state_is, webrtc.get_property("connection-state").value_nick, "")

    def _channel_made(self, _webrtc: Any, channel: Any) -> None:
        self._channels.made(channel)

    def _upstream(self, _pad: Any, info: Any) -> Any:
        if GstVideo.video_event_is_force_key_unit(info.get_event()):
            self._to_loop(self._impatient)
        elif (told := packets_of(info.get_event())) is not None:
            self._told(told)
        return Gst.PadProbeReturn.OK

    def _told(self, told: Told) -> None:
        self._to_loop(self._events.peer_told, self, told)

    # and from here on the event loop's thread again

    def _state_is(self, state: str, reason: str) -> None:
        if not self._closed and state != self.state:
            self.state = state
            if state == "connected":
                ice_agent.settle(self._webrtc)
            self._events.peer_state(self, state, reason)

    def _impatient(self) -> None:
        # a browser asks for one after three seconds without a frame, too, whatever it has
        if not self.video.drawn.all:
            self._events.peer_key_wanted(self)

    def _broke(self, element: str, what: str) -> None:
        # a viewer that goes without a word shows first as the end of its SCTP association
        gone = element.startswith("sctp")
        reason = "the viewer went away" if gone else f"GStreamer: {what}"[:200]
        self._state_is("closed" if gone else "failed", reason)

    def channel_open(self, label: str) -> None:
        """One of its channels may be used from now on."""
        if label == "control":
            self._events.peer_open(self)

    def channel_heard(self, text: str | None, label: str) -> None:
        """The viewer said something."""
        self._events.peer_message(self, text, label)

    def channels_flooded(self, what: str) -> None:
        """The viewer makes more channels, or says or reports more, than any page does."""
        self._state_is("failed", f"too many {what}")
