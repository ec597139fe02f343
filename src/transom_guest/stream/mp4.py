"""Writes one H.264 track as MP4 (ISO/IEC 14496-12 and -15): what a player needs first, then the frames.

Written by hand because it is small, and because a muxer in the stream server's process could end it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

TIMESCALE = 1000
"""Units of time in a second: a sample's duration is in milliseconds."""
MATRIX = struct.pack("!9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
SELF_CONTAINED = 1
ENABLED_IN_MOVIE = 3
UNDETERMINED = 0x55C4
"""The language `und`."""
KEY, NO_KEY = 0x2000000, 0x1010000
"""A sample's flags: it depends on no other; it does, and nobody may begin at it."""
BASE_IS_MOOF = 0x20000
TIMED_SIZED_FLAGGED = 0x701
"""What a `trun` has of each sample, and the place of the first."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame: its units with a length of four bytes before each."""

    data: bytes
    duration: int
    key: bool


def movie(sps: bytes, pps: bytes, size: tuple[int, int], samples: Sequence[Sample]) -> list[bytes]:
    """The whole file, in pieces: the frames are not copied. There is at least one, and the first is a key frame."""
    first = _box(b"ftyp", b"isom", struct.pack("!I", 0x200), b"isomiso2avc1mp41")
    header = _moov(sps, pps, size, samples)
    # the last thing in the header is the place of the frames: after it, and the head of their box
    place = struct.pack("!I", len(first) + len(header) + 8)
    frames = [sample.data for sample in samples]
    head = struct.pack("!I4s", 8 + sum(map(len, frames)), b"mdat")
    return [first + header[: -len(place)] + place + head, *frames]


def opening(sps: bytes, pps: bytes, size: tuple[int, int]) -> bytes:
    """What a file that grows begins with: fragments follow, and after each the file is whole."""
    first = _box(b"ftyp", b"iso5", struct.pack("!I", 0x200), b"iso5iso6avc1mp41")
    grows = _box(b"mvex", _full(b"trex", 0, struct.pack("!5I", 1, 1, 0, 0, 0)))
    return first + _moov(sps, pps, size, (), grows)


def fragment(number: int, start: int, samples: Sequence[Sample]) -> list[bytes]:
    """One more piece of such a file, `number` from 1 on, that is shown from `start` on; the frames are not copied."""
    header = _moof(number, start, samples, 0)
    frames = [sample.data for sample in samples]
    head = struct.pack("!I4s", 8 + sum(map(len, frames)), b"mdat")
    return [_moof(number, start, samples, len(header) + len(head)) + head, *frames]


def _moof(number: int, start: int, samples: Sequence[Sample], place: int) -> bytes:
    run = _full(
        b"trun",
        TIMED_SIZED_FLAGGED,
        struct.pack("!2I", len(samples), place),
        *(struct.pack("!3I", s.duration, len(s.data), KEY if s.key else NO_KEY) for s in samples),
    )
    track = _box(
        b"traf",
        _full(b"tfhd", BASE_IS_MOOF, struct.pack("!I", 1)),
        _full(b"tfdt", 0, struct.pack("!I", start)),
        run,
    )
    return _box(b"moof", _full(b"mfhd", 0, struct.pack("!I", number)), track)


def _moov(
    sps: bytes, pps: bytes, size: tuple[int, int], samples: Sequence[Sample], more: bytes = b""
) -> bytes:
    duration = sum(sample.duration for sample in samples)
    header = _full(
        b"mvhd",
        0,
        struct.pack("!4I", 0, 0, TIMESCALE, duration),
        struct.pack("!IH10x", 0x10000, 0x100),
        MATRIX,
        struct.pack("!24xI", 2),
    )
    return _box(b"moov", header, _track(sps, pps, size, samples, duration), more)


def _track(sps: bytes, pps: bytes, size: tuple[int, int], samples: Sequence[Sample], duration: int) -> bytes:
    width, height = size
    header = _full(
        b"tkhd",
        ENABLED_IN_MOVIE,
        struct.pack("!5I8x4H", 0, 0, 1, 0, duration, 0, 0, 0, 0),
        MATRIX,
        struct.pack("!2I", width << 16, height << 16),
    )
    media = _full(b"mdhd", 0, struct.pack("!4I2H", 0, 0, TIMESCALE, duration, UNDETERMINED, 0))
    handler = _full(b"hdlr", 0, struct.pack("!I4s12x", 0, b"vide"), b"transom\0")
    looks = _full(b"vmhd", 1, bytes(8))
    place_of = _full(b"dref", 0, struct.pack("!I", 1), _full(b"url ", SELF_CONTAINED))
    information = _box(b"minf", looks, _box(b"dinf", place_of), _table(sps, pps, size, samples))
    return _box(b"trak", header, _box(b"mdia", media, handler, information))


def _table(sps: bytes, pps: bytes, size: tuple[int, int], samples: Sequence[Sample]) -> bytes:
    spans = [(len(list(run)), span) for span, run in groupby(sample.duration for sample in samples)]
    keys = [number for number, sample in enumerate(samples, 1) if sample.key]
    return _box(
        b"stbl",
        _full(b"stsd", 0, struct.pack("!I", 1), _entry(sps, pps, size)),
        _full(b"stts", 0, struct.pack("!I", len(spans)), *(struct.pack("!2I", *each) for each in spans)),
        _full(b"stss", 0, struct.pack(f"!I{len(keys)}I", len(keys), *keys)),
        _full(b"stsc", 0, struct.pack("!4I", 1, 1, len(samples), 1) if samples else bytes(4)),
        _full(
            b"stsz",
            0,
            struct.pack(f"!2I{len(samples)}I", 0, len(samples), *(len(s.data) for s in samples)),
        ),
        _full(b"stco", 0, struct.pack("!2I", 1, 0) if samples else bytes(4)),
    )


def _entry(sps: bytes, pps: bytes, size: tuple[int, int]) -> bytes:
    configuration = _box(
        b"avcC",
        struct.pack("!4B", 1, *sps[1:4]),
        struct.pack("!BBH", 0xFF, 0xE1, len(sps)),
        sps,
        struct.pack("!BH", 1, len(pps)),
        pps,
    )
    return _box(
        b"avc1",
        struct.pack("!6xH16x2H", 1, *size),
        struct.pack("!3IH32x2H", 0x480000, 0x480000, 0, 1, 24, 0xFFFF),
        configuration,
    )


def _box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack("!I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def _full(kind: bytes, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack("!I", flags), *parts)
