"""One H.264 encoder for all viewers: BGRx pictures in, access units out.

x264 ultrafast with capped constant quality won the measurements: still and typed-on screens cost next
to nothing, motion is held under the cap, and an infinite GOP sends key frames only when asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from transom_guest.stream.gst import Gst, GstApp, GstError, GstVideo, make, unwatch_bus, watch_bus
from transom_guest.stream.pacing import FPS

BITRATE_CAP = 2000
"""kbit/s that motion is held under; `set_bitrate` changes it live."""
QUANTIZER = 24
"""CRF: text stays sharp."""
QP_MIN = 14
VBV_MS = 500
THREADS = 2
log = logging.getLogger("transom.stream")


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded frame, Annex B; a key frame carries its parameter sets."""

    data: bytes
    key: bool


class Encoder:
    """appsrc ! videoconvert ! x264enc ! appsink. `on_unit` is called in a GStreamer thread."""

    def __init__(self, on_unit: Callable[[AccessUnit], None], on_error: Callable[[str, str], None]) -> None:
        """Build and start; costs nothing until a picture comes. Raises GstError."""
        self._on_unit = on_unit
        self._size = (0, 0)
        self._pipeline = Gst.Pipeline.new("encode")
        self._source = make("appsrc", is_live=True, format=Gst.Format.TIME, do_timestamp=True, max_buffers=2)
        self._x264 = _x264()
        sink = make("appsink", emit_signals=True, sync=False, max_buffers=8)
        sink.set_property("caps", Gst.Caps.from_string("video/x-h264,stream-format=byte-stream,alignment=au"))
        profile = make("capsfilter", caps=Gst.Caps.from_string("video/x-h264,profile=constrained-baseline"))
        planar = make("capsfilter", caps=Gst.Caps.from_string("video/x-raw,format=I420"))
        chain = [self._source, make("videoconvert", n_threads=THREADS), planar, self._x264, profile, sink]
        for element in chain:
            self._pipeline.add(element)
        for left, right in pairwise(chain):
            if not left.link(right):
                raise GstError("the encoder's elements do not fit together")
        sink.connect("new-sample", self._new_sample)
        watch_bus(self._pipeline, on_error)
        if self._pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
            raise GstError("the encoder does not start")

    def encode(self, pixels: memoryview, width: int, height: int, *, key: bool) -> bool:
        """Take one picture of `width * height` BGRx pixels, both even. False when GStreamer refuses it."""
        if (width, height) != self._size:
            self._size = (width, height)
            self._source.set_property("caps", _picture_caps(width, height))
        if key:
            event = GstVideo.video_event_new_upstream_force_key_unit(Gst.CLOCK_TIME_NONE, True, 0)
            self._x264.get_static_pad("src").send_event(event)
        buffer = Gst.Buffer.new_allocate(None, len(pixels), None)
        with buffer.map(Gst.MapFlags.WRITE) as info:
            info.data[:] = pixels
        return bool(GstApp.AppSrc.push_buffer(self._source, buffer) == Gst.FlowReturn.OK)

    def set_bitrate(self, kbps: int) -> None:
        """Move the cap, live."""
        self._x264.set_property("bitrate", kbps)

    def close(self) -> None:
        """Stop and free."""
        self._pipeline.set_state(Gst.State.NULL)
        unwatch_bus(self._pipeline)

    def _new_sample(self, sink: GstApp.AppSink) -> Gst.FlowReturn:
        sample = sink.emit("pull-sample")
        if sample is None:
            return Gst.FlowReturn.EOS
        buffer = sample.get_buffer()
        delta = bool(buffer.get_flags() & Gst.BufferFlags.DELTA_UNIT)
        self._on_unit(AccessUnit(buffer.extract_dup(0, buffer.get_size()), key=not delta))
        return Gst.FlowReturn.OK


def _x264() -> Gst.Element:
    element = make("x264enc")
    for name, value in {
        "speed-preset": "ultrafast",
        "tune": "zerolatency",
        "pass": "qual",
        "quantizer": str(QUANTIZER),
        "bitrate": str(BITRATE_CAP),
        "vbv-buf-capacity": str(VBV_MS),
        "qp-min": str(QP_MIN),
        "key-int-max": str(2**30),
        "bframes": "0",
        "rc-lookahead": "0",
        "sliced-threads": "true",
        "threads": str(THREADS),
        "byte-stream": "true",
    }.items():
        Gst.util_set_object_arg(element, name, value)
    return element


def _picture_caps(width: int, height: int) -> Gst.Caps:
    return Gst.Caps.from_string(
        f"video/x-raw,format=BGRx,width={width},height={height},framerate={FPS}/1,pixel-aspect-ratio=1/1"
    )
