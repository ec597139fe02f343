"""The dialogue on a stream of kind `record`: the controller says whether to record, the guest hands segments over.

Frames (transom_wire.framing) of JSON both ways. A segment's bytes follow its SegmentComes in chunks as files' do
(transom_wire.files): a chunk of none says that it is whole. A guest records only while this stream is open, and only
what its encoder makes for viewers. `on` after `paused` waits until the page that was shown is left for a blank one.

| controller | guest |
|---|---|
| Record | RecordState, once it is so: from `paused` and `off` on no picture is taken |
| | SegmentComes and its bytes, for each segment that is finished |
| | PartComes and its bytes, of the segment that is not finished: about twice a second, while that has more |
| | PageSeen, whenever that changes; before a RecordState where no picture is taken for it |
| SegmentTaken: the guest may forget it | |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from transom_wire.codec import Many, Range, Text
from transom_wire.fields import Side

SEGMENT_BYTES = 24 * 2**20
"""Bytes of a segment at most, and of all its parts together; what would be larger is cut sooner."""
MOST_INPUTS = 300
"""Seconds of a segment in which somebody did something; the rest is not told."""
FRAME_LIMIT = 32 * 1024
"""Bytes of a frame."""

Number = Annotated[int, Range(0, 2**31)]
Run = Annotated[int, Range(0, 2**53)]
Span = Annotated[int, Range(0, 24 * 3600 * 1000)]
State = Annotated[str, Text(8, "on|paused|off")]
Count = Annotated[int, Range(0, 100_000)]


@dataclass(frozen=True, slots=True)
class Record:
    """Record, or do not. `run` is greater with each `on`, and the segments bear it. `off` also hands over what is
    not finished, and then ends the stream."""

    TYPE: ClassVar[str] = "record"
    state: State
    run: Run
    segment_s: Annotated[int, Range(1, 300)] = 20
    """How long a segment is, about: it ends where the next key frame begins."""


@dataclass(frozen=True, slots=True)
class RecordState:
    """So it is now."""

    TYPE: ClassVar[str] = "record_state"
    state: State
    run: Run


@dataclass(frozen=True, slots=True)
class Inputs:
    """What viewers did in one second, counted by its kind: never which key, and no text."""

    second: Annotated[int, Range(0, 24 * 3600)]
    """Since the segment began."""
    keys: Count
    buttons: Count
    wheel: Count


@dataclass(frozen=True, slots=True)
class SegmentComes:
    """A segment, MP4, beginning with a key frame. `ago_ms`: it began so long before this was sent."""

    TYPE: ClassVar[str] = "segment_comes"
    number: Number
    run: Run
    ago_ms: Span
    duration_ms: Span
    width: Side
    height: Side
    size: Annotated[int, Range(1, SEGMENT_BYTES)]
    inputs: Annotated[tuple[Inputs, ...], Many(MOST_INPUTS)] = ()


@dataclass(frozen=True, slots=True)
class PartComes(SegmentComes):
    """More of a segment that is not finished: kept until that comes, or in its place where it never does. `size` is
    of these bytes, all else of what is there until now. The parts of a segment are together an MP4 that grows by
    whole fragments; `first` begins it, on each stream anew. No part is answered."""

    TYPE: ClassVar[str] = "part_comes"
    first: bool = False


@dataclass(frozen=True, slots=True)
class SegmentTaken:
    """The controller has it."""

    TYPE: ClassVar[str] = "segment_taken"
    number: Number


@dataclass(frozen=True, slots=True)
class PageSeen:
    """What the browser shows while something is recorded: `shown` is a page to sign in at, of which no picture is
    taken, nor while it is `silent` about that, or is just `starting`; `unwatched` is a desktop whose browsers' pages
    nobody looks at."""

    TYPE: ClassVar[str] = "page_seen"
    state: Annotated[str, Text(16, "clear|shown|silent|starting|unwatched")]


HIDDEN = frozenset({"shown", "silent", "starting"})
"""States of PageSeen in which no picture is taken."""
TO_RECORDER = (Record, SegmentTaken)
FROM_RECORDER = (RecordState, SegmentComes, PartComes, PageSeen)
