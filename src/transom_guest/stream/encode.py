"""One H.264 encoder for all viewers: the screen's changed rows in, access units out.

x264 ultrafast with a capped constant quantizer won the measurements: still and typed-on screens cost next
to nothing, motion is held under the cap, and an infinite GOP sends key frames only when asked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from transom_guest.stream import yuv
from transom_guest.stream.budget import BITRATE_CAP, FRAME_RATE, VBV_MS, Budget, Vbv
from transom_guest.stream.frame import Frame, Pixels
from transom_guest.stream.gst import Gst, GstApp, GstError, GstVideo, make, unwatch_bus, watch_bus
from transom_guest.stream.picture import Picture

QUANTIZER = 20
"""Where the budget lets it: SSIM is 0.995 for text, and 0.991 where half of the page is like photographs."""
STEADY = "qcomp=1:dct-decimate=0"
"""The quantizer does not follow the content, or x264 would take a new page for motion, that nobody looks at closely,
for some frames to come; and no faint detail is dropped as not worth its bits."""
LEAST_SCALE = 25
"""Percent of the desktop's sides that a picture has at least."""
THREADS = 2
log = logging.getLogger("transom.stream")


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded frame, Annex B; a key frame carries its parameter sets."""

    data: bytes
    key: bool
    grabbed: float
    """Monotonic seconds; the frame's time for every viewer."""
    settled: bool = False
    """The same picture again took next to nothing: it is as sharp as it gets."""
    steps: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Seconds that reading the screen, converting colours and encoding took, one after the other from `grabbed` on."""


class Encoder:
    """appsrc ! x264enc ! appsink. `on_unit` is called in a GStreamer thread. One frame at a time may be inside."""

    def __init__(self, on_unit: Callable[[AccessUnit], None], on_error: Callable[[str, str], None]) -> None:
        """Build and start; costs nothing until a picture comes. Raises GstError."""
        try:
            yuv.load()
        except OSError as error:
            raise GstError("the image lacks libyuv") from error
        self._on_unit = on_unit
        self._scale = 100
        self._picture: Picture | None = None
        self._shape = (0, 0, 0)
        self._budget, self._vbv = Budget(), Vbv(0, 0)
        self._grabbed = self._read = self._converted = 0.0
        self._pipeline = Gst.Pipeline.new("encode")
        self._source = make("appsrc", is_live=True, format=Gst.Format.TIME, do_timestamp=True, max_buffers=2)
        self._x264 = _x264()
        sink = make("appsink", emit_signals=True, sync=False, max_buffers=8)
        sink.set_property("caps", Gst.Caps.from_string("video/x-h264,stream-format=byte-stream,alignment=au"))
        profile = make("capsfilter", caps=Gst.Caps.from_string("video/x-h264,profile=constrained-baseline"))
        chain = [self._source, self._x264, profile, sink]
        for element in chain:
            self._pipeline.add(element)
        for left, right in pairwise(chain):
            if not left.link(right):
                raise GstError("the encoder's elements do not fit together")
        sink.connect("new-sample", self._new_sample)
        watch_bus(self._pipeline, on_error)
        if self._pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE:
            raise GstError("the encoder does not start")

    def encode(self, screen: Pixels, frame: Frame) -> bool:
        """Encode the screen as it is. False when GStreamer refuses it."""
        self._read = time.monotonic()
        picture, rows = self._picture, frame.rows
        shape = (screen.width, screen.height, self._scale)
        if picture is None or shape != self._shape:
            picture, rows = Picture(*shape), (0, screen.height)
            self._picture, self._shape = picture, shape
            self._source.set_property("caps", _picture_caps(picture.form))
        if frame.key:
            event = GstVideo.video_event_new_upstream_force_key_unit(Gst.CLOCK_TIME_NONE, True, 0)
            self._x264.get_static_pad("src").send_event(event)
        self._spend(self._budget.next(frame.grabbed, still=rows is None))
        self._grabbed = frame.grabbed
        buffer = picture.update(screen.address, screen.stride, rows)
        self._converted = time.monotonic()
        return bool(GstApp.AppSrc.push_buffer(self._source, buffer) == Gst.FlowReturn.OK)

    def set_bitrate(self, kbps: int, vbv_ms: int = VBV_MS, burst_kbps: int = 0) -> None:
        """Hold motion under `kbps`, live; `vbv_ms` of it may go at once. A still picture sharpens at `burst_kbps`."""
        self._budget.set(kbps, vbv_ms, burst_kbps)

    def set_scale(self, percent: int) -> None:
        """From the next frame on, which is a key frame, send pictures of this share of the desktop's sides."""
        self._scale = min(max(percent, LEAST_SCALE), 100)

    def _spend(self, vbv: Vbv) -> None:
        if vbv != self._vbv:
            self._vbv = vbv
            self._x264.set_property("bitrate", vbv.bitrate)
            self._x264.set_property("vbv-buf-capacity", vbv.capacity)

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
        data = buffer.extract_dup(0, buffer.get_size())
        settled = self._budget.settled(len(data))
        times = (self._grabbed, self._read, self._converted, time.monotonic())
        read, converted, encoded = (after - before for before, after in pairwise(times))
        unit = AccessUnit(data, not delta, self._grabbed, settled, (read, converted, encoded))
        self._on_unit(unit)
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
        "qp-min": str(QUANTIZER),
        "option-string": STEADY,
        "key-int-max": str(2**30),
        "bframes": "0",
        "rc-lookahead": "0",
        "sliced-threads": "true",
        "threads": str(THREADS),
        "byte-stream": "true",
    }.items():
        Gst.util_set_object_arg(element, name, value)
    return element


def _picture_caps(form: yuv.Layout) -> Gst.Caps:
    return Gst.Caps.from_string(
        f"video/x-raw,format=I420,width={form.width},height={form.height},framerate={FRAME_RATE}/1,"
        "pixel-aspect-ratio=1/1,colorimetry=bt601,chroma-site=mpeg2,interlace-mode=progressive"
    )
