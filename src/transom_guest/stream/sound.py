"""The desktop's sound, encoded once for all viewers: Opus packets of ten milliseconds, while something plays.

It has a stream of its own, in a pipeline of its own: the picture never waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from transom_guest.stream.gst import Gst, GstApp, GstError, make, unwatch_bus, watch_bus
from transom_guest.stream.playing import Players

DEVICE = "desktop.monitor"
FRAME_MS = 10
BITRATE = 96_000
"""Bits a second: stereo music that nobody complains of."""
BUFFER_US = 40_000
"""PulseAudio's buffer at the monitor; what stands in it is late."""
log = logging.getLogger("transom.sound")

OnPacket = Callable[[bytes], None]
"""An Opus packet; called in a GStreamer thread."""


class Sound:
    """Off until `wanted(True)` and while nothing plays."""

    def __init__(self, on_packet: OnPacket) -> None:
        self._on_packet = on_packet
        self._wanted = self._playing = False
        self._pipeline: Gst.Pipeline | None = None
        self._listening: asyncio.Task[None] | None = None
        self._starts = 0

    def wanted(self, wanted: bool) -> None:
        """Whether any viewer takes sound."""
        self._wanted = wanted
        if wanted and self._listening is None:
            self._listening = asyncio.create_task(Players(self._changed).run(), name="players")
        elif not wanted and self._listening is not None:
            self._listening.cancel()
            self._listening, self._playing = None, False
        self._settle()

    def _changed(self, playing: bool) -> None:
        self._playing = playing
        self._settle()

    def _settle(self) -> None:
        if self._wanted and self._playing:
            self._start()
        else:
            self._stop()

    def _start(self) -> None:
        if self._pipeline is not None:
            return
        try:
            self._pipeline = self._build()
        except GstError as error:
            log.warning("no sound: %s", error)
            return
        if self._pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
            log.warning("no sound: the recorder does not start")
            self._stop()

    def _stop(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            unwatch_bus(pipeline)
            # blocks until PulseAudio has let go, which another thread waits for
            asyncio.get_running_loop().run_in_executor(None, pipeline.set_state, Gst.State.NULL)

    def _build(self) -> Gst.Pipeline:
        pipeline = Gst.Pipeline.new(None)
        source = make(
            "pulsesrc",
            device=DEVICE,
            client_name="transom",
            buffer_time=BUFFER_US,
            latency_time=FRAME_MS * 1000,
            provide_clock=False,
        )
        form = make("capsfilter", caps=Gst.Caps.from_string("audio/x-raw,format=S16LE,rate=48000,channels=2"))
        encoder = make("opusenc", bitrate=BITRATE, dtx=True)
        for name, value in {"frame-size": str(FRAME_MS), "audio-type": "restricted-lowdelay"}.items():
            Gst.util_set_object_arg(encoder, name, value)
        sink = make("appsink", emit_signals=True, sync=False, max_buffers=8, drop=True)
        sink.connect("new-sample", self._new_sample)
        for element in (source, form, encoder, sink):
            pipeline.add(element)
        if not (source.link(form) and form.link(encoder) and encoder.link(sink)):
            raise GstError("the recorder's elements do not fit together")
        watch_bus(pipeline, self._broke)
        return pipeline

    def _broke(self, element: str, what: str) -> None:
        log.warning("no sound: %s: %s", element, what)
        self._stop()

    def _new_sample(self, sink: GstApp.AppSink) -> Gst.FlowReturn:
        sample = sink.emit("pull-sample")
        if sample is None:
            return Gst.FlowReturn.EOS
        buffer = sample.get_buffer()
        self._on_packet(buffer.extract_dup(0, buffer.get_size()))
        return Gst.FlowReturn.OK
