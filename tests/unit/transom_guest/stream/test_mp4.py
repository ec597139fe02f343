"""Real H.264 in, what a real demuxer and decoder find in it out."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from fractions import Fraction

import av
import pytest
from av.video.frame import VideoFrame
from hypothesis import given
from hypothesis import strategies as st

from transom_guest.stream.h264 import size_of, split, units
from transom_guest.stream.mp4 import Sample, movie


def encoded(
    width: int, height: int, levels: Sequence[int], profile: str = "baseline"
) -> list[tuple[bytes, bool]]:
    """Annex B access units of grey pictures, as the stream server's encoder makes them."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = Fraction(1, 30)
    context.options = {
        "tune": "zerolatency",
        "preset": "ultrafast",
        "profile": profile,
        "x264-params": "annexb=1:repeat-headers=1:keyint=1000:sliced-threads=1:threads=2",
    }
    found = []
    for number, level in enumerate(levels):
        frame = VideoFrame(width, height, "yuv420p")
        for plane, value in zip(frame.planes, (level, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts = number
        found += [(bytes(packet), packet.is_keyframe) for packet in context.encode(frame)]
    return found


def a_movie(width: int, height: int, levels: Sequence[int], spans: Sequence[int]) -> bytes:
    frames = encoded(width, height, levels)
    sps, pps, _ = split(frames[0][0])
    samples = [Sample(split(data)[2], span, key) for (data, key), span in zip(frames, spans, strict=True)]
    size = size_of(sps)
    assert size == (width, height)
    return b"".join(movie(sps, pps, size, samples))


@pytest.mark.parametrize("size", [(640, 480), (1278, 722), (64, 64)])
def test_a_decoder_finds_every_frame_at_its_time(size: tuple[int, int]) -> None:
    levels, spans = [40, 80, 120, 160, 200], [33, 33, 2000, 17, 500]
    with av.open(io.BytesIO(a_movie(*size, levels, spans))) as container:
        (stream,) = container.streams.video
        assert stream.time_base is not None and stream.duration is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(2.583)
        assert (stream.width, stream.height) == size
        frames = list(container.decode(stream))
    assert [round(frame.time * 1000) for frame in frames] == [0, 33, 66, 2066, 2083]
    assert [bytes(frame.planes[0])[0] for frame in frames] == pytest.approx(levels, abs=24)


def test_a_player_is_told_of_each_frame_that_it_may_begin_at() -> None:
    frames, keys = encoded(64, 64, [40, 80, 120, 160, 200]), [True, False, False, True, False]
    sps, pps, _ = split(frames[0][0])
    samples = [Sample(split(data)[2], 100, key) for (data, _), key in zip(frames, keys, strict=True)]
    data = b"".join(movie(sps, pps, (64, 64), samples))
    table = data[data.index(b"stss") + 8 :]  # after its name, version and flags
    assert struct.unpack_from("!3I", table) == (2, 1, 4)


def test_the_header_comes_before_the_frames() -> None:
    data = a_movie(64, 64, [50, 60], [10, 10])
    assert data[4:8] == b"ftyp" and data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_the_size_of_each_profile(profile: str) -> None:
    assert size_of(split(encoded(1280, 722, [50], profile)[0][0])[0]) == (1280, 722)


@given(st.binary(max_size=400))
def test_any_bytes_are_split_and_measured_without_harm(data: bytes) -> None:
    assert sum(len(unit) for unit in units(data)) <= len(data)
    split(data)
    assert size_of(data) is None or len(data) > 4
    size_of(b"\x67\x42" + data)
    size_of(b"\x67\x64" + data)
