"""A viewer's sound: Opus packets out in a stream of their own, and its microphone in where it may speak.

Part of a peer's pipeline. The two media streams have names of their own (RFC 8830): a browser that took them for
one would hold the picture back to keep it with the sound.
"""

from __future__ import annotations

import logging
import secrets
import threading
from itertools import pairwise
from typing import Any

from transom_guest.desktop.sound import MICROPHONE, RATE
from transom_guest.stream.gst import Gst, GstApp, GstError, GstWebRTC, make
from transom_guest.stream.sound_offer import Opus

MAX_QUEUED = 20
"""Packets of ten milliseconds that may wait; older ones are dropped: late sound is worse than a gap."""
STREAM = "sound"
log = logging.getLogger("transom.sound")
_OPUS = "audio/x-opus,rate=48000,channels=2,channel-mapping-family=0"


class PeerSound:
    """Built into `pipeline` before it runs, linked to `webrtc`. Raises GstError."""

    def __init__(self, pipeline: Gst.Pipeline, webrtc: Gst.Element, opus: Opus) -> None:
        self._pipeline, self._speaks = pipeline, opus.speaks
        self._source = make(
            "appsrc",
            is_live=True,
            format=Gst.Format.TIME,
            do_timestamp=True,
            max_buffers=MAX_QUEUED,
            caps=Gst.Caps.from_string(_OPUS),
        )
        Gst.util_set_object_arg(self._source, "leaky-type", "downstream")
        # named here, as the picture's is: a source that is just starting cannot tell webrtcbin what the answer must
        ssrc = 1 + secrets.randbelow(2**32 - 1)
        payloader = make("rtpopuspay", pt=opus.payload_type, ssrc=ssrc)
        caps = Gst.Caps.from_string(
            "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,encoding-params=(string)2,"
            f"payload={opus.payload_type},ssrc=(uint){ssrc}"
        )
        form = make("capsfilter", caps=caps)
        for element in (self._source, payloader, form):
            pipeline.add(element)
        if not (self._source.link(payloader) and payloader.link(form)):
            raise GstError("the sound's elements do not fit together")
        pad = webrtc.request_pad_simple("sink_%u")
        pad.set_property("msid", STREAM)
        if form.get_static_pad("src").link(pad) != Gst.PadLinkReturn.OK:
            raise GstError("the sound does not fit to the peer")
        direction = GstWebRTC.WebRTCRTPTransceiverDirection
        self.transceiver = pad.get_property("transceiver")
        self.transceiver.set_property("direction", direction.SENDRECV if opus.speaks else direction.SENDONLY)
        self.transceiver.set_property("codec-preferences", caps)
        self._valve: Any = None
        self._open = self._closed = False
        self._building = threading.Lock()

    def push(self, packet: bytes) -> None:
        """Send one packet, from any thread."""
        GstApp.AppSrc.push_buffer(self._source, Gst.Buffer.new_wrapped(packet))

    def hear(self, _webrtc: Gst.Element, pad: Gst.Pad) -> None:
        """The viewer's microphone arrives on `pad` of webrtcbin; in a GStreamer thread."""
        with self._building:
            if (
                pad.get_property("direction") != Gst.PadDirection.SRC
                or self._valve is not None
                or self._closed
            ):
                return
            try:
                self._build(pad)
            except GstError as error:
                log.warning("no microphone: %s", error)

    def close(self) -> None:
        """Add nothing to the pipeline any more: it is about to go down, and what came later would be left running.
        Waits for what is being added; not in the event loop's thread."""
        with self._building:
            self._closed = True

    def _build(self, pad: Gst.Pad) -> None:
        valve = make("valve", drop=not self._open)
        chain = [
            valve,
            make("rtpopusdepay"),
            make("opusdec"),
            make("audioconvert"),
            make("capsfilter", caps=Gst.Caps.from_string(f"audio/x-raw,rate={RATE},channels=1")),
            make("pulsesink", device=MICROPHONE, sync=False, client_name="transom microphone"),
        ]
        for element in chain:
            self._pipeline.add(element)
        for left, right in pairwise(chain):
            if not left.link(right):
                raise GstError("the microphone's elements do not fit together")
        for element in reversed(chain):
            element.sync_state_with_parent()
        if pad.link(valve.get_static_pad("sink")) != Gst.PadLinkReturn.OK:
            raise GstError("the microphone does not fit")
        self._valve = valve

    def may_speak(self, allowed: bool) -> None:
        """Whether what the microphone sends is played to the desktop from now on."""
        self._open = allowed and self._speaks
        if self._valve is not None:
            self._valve.set_property("drop", not self._open)
