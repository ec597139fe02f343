"""The recorder: the viewers' own access units, once more, into segments that begin with a key frame.

All calls come from the event loop's thread, and none waits: no frame is held for it. Finished segments wait in memory
that is bounded; when nobody fetches them the oldest go. What the open one has so far can be had of it in parts.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from transom_guest.input.message import Button, Key, Message, Text, Wheel
from transom_guest.stream.h264 import size_of, split
from transom_guest.stream.mp4 import Sample, fragment, movie, opening
from transom_wire.record import MOST_INPUTS, SEGMENT_BYTES, Inputs, Record

GAP_S = 5.0
"""Without a frame for so long nobody watches, and the segment has ended: a still screen comes again after 2 s."""
STILL_S = 2.0
"""How long the last frame before such a gap is shown."""
TAIL_S = 0.001
"""How long one is at least."""
WAITING_BYTES = 48 * 2**20
"""Of finished segments: some minutes, should the controller be away."""
CUT_BYTES = SEGMENT_BYTES // 2
"""A segment is due at this size as well; what a key frame may be late fits in the rest."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A finished one, or a part of it. Seconds, of the clock that the recorder was told."""

    number: int
    run: int
    began: float
    duration: float
    size: tuple[int, int]
    parts: list[bytes]
    """The file, in pieces: a frame is copied only when it is sent."""
    bytes: int
    inputs: tuple[Inputs, ...]


@dataclass(slots=True)
class Fetched:
    """What one controller has of the segment that is being recorded."""

    number: int = 0
    frames: int = 0
    parts: int = 0
    bytes: int = 0


@dataclass(slots=True)
class _Open:
    """The segment that is being recorded."""

    number: int
    run: int
    began: float
    sps: bytes
    pps: bytes
    frames: list[tuple[float, bytes, bool]] = field(default_factory=list)
    bytes: int = 0
    felt: dict[int, Counter[str]] = field(default_factory=dict)
    due: bool = False


class Recorder:
    """`key_wanted` asks the capture for a key frame; `finished` is called when a segment waits to be fetched."""

    def __init__(self, key_wanted: Callable[[], None], finished: Callable[[], None]) -> None:
        self._key_wanted, self._finished = key_wanted, finished
        self._wish = Record("off", 0)
        self._open: _Open | None = None
        self._asked = False
        self._numbers = 0
        self.waiting: deque[Segment] = deque()
        self.lost = 0
        """Segments that nobody fetched in time."""

    @property
    def on(self) -> bool:
        """Frames are wanted."""
        return self._wish.state == "on"

    def wish(self, record: Record, now: float) -> None:
        """Do as the controller says, from this frame on."""
        if record.state != "on" or record.run != self._wish.run:
            self.finish(now)
        self._wish = record
        if self.on:
            self._ask()

    def take(self, data: bytes, key: bool, at: float) -> None:
        """A frame that went to the viewers."""
        if not self.on:
            return
        self._look(at)
        if key:
            self._key(data, at)
        elif self._open is not None:
            self._add(self._open, split(data)[2], key, at)
        elif not self._asked:
            self._ask()

    def felt(self, message: Message, at: float) -> None:
        """A viewer did something: its kind is counted, and nothing else of it kept."""
        segment = self._open
        kind, count = _done(message)
        if segment is None or not count:
            return
        second = int(at - segment.began)
        if second in segment.felt or len(segment.felt) < MOST_INPUTS:
            counted = segment.felt.setdefault(second, Counter())
            counted[kind] = min(counted[kind] + count, 100_000)

    def look(self, now: float) -> None:
        """Now and then: end a segment whose viewers have gone."""
        self._look(now)

    def finish(self, now: float) -> None:
        """End the segment that is open."""
        segment, self._open = self._open, None
        if segment is None:
            return
        end = min(max(now, segment.frames[-1][0] + TAIL_S), segment.frames[-1][0] + STILL_S)
        size = size_of(segment.sps) or (0, 0)
        parts = movie(segment.sps, segment.pps, size, _samples(segment, 0, end))
        length = sum(map(len, parts))
        if length > SEGMENT_BYTES or not all(size):
            self.lost += 1
            return
        self.waiting.append(_made(segment, end, size, parts))
        while sum(each.bytes for each in self.waiting) > WAITING_BYTES:
            self.waiting.popleft()
            self.lost += 1
        self._finished()

    def part(self, has: Fetched) -> Segment | None:
        """What the open segment has beyond that, which is had from now on; None: nothing.

        Its duration is that of the whole until now. Its last frame is shown until the next part begins."""
        segment = self._open
        if segment is None:
            return None
        if has.number != segment.number:
            has.number, has.frames, has.parts, has.bytes = segment.number, 0, 0, 0
        size = size_of(segment.sps)
        if has.frames == len(segment.frames) or size is None or not all(size):
            return None
        end = segment.frames[-1][0] + TAIL_S
        start = round((segment.frames[has.frames][0] - segment.began) * 1000)
        pieces = fragment(has.parts + 1, start, _samples(segment, has.frames, end))
        if not has.parts:
            pieces.insert(0, opening(segment.sps, segment.pps, size))
        found = _made(segment, end, size, pieces)
        if has.bytes + found.bytes > SEGMENT_BYTES:
            return None
        has.frames, has.parts, has.bytes = len(segment.frames), has.parts + 1, has.bytes + found.bytes
        return found

    def begin_anew(self) -> None:
        """Frames come again: with a key frame, and soon."""
        if self.on:
            self._ask()

    def fetched(self, number: int) -> None:
        """The controller has it."""
        self.waiting = deque(each for each in self.waiting if each.number != number)

    def _key(self, data: bytes, at: float) -> None:
        sps, pps, frame = split(data)
        self._asked = False
        segment = self._open
        if segment is not None and not segment.due and (sps, pps) == (segment.sps, segment.pps):
            self._add(segment, frame, True, at)
            return
        self.finish(at)
        if sps and pps and frame:
            self._numbers += 1
            self._open = _Open(self._numbers, self._wish.run, at, sps, pps)
            self._add(self._open, frame, True, at)

    def _add(self, segment: _Open, frame: bytes, key: bool, at: float) -> None:
        if not frame:
            return
        segment.frames.append((at, frame, key))
        segment.bytes += len(frame)
        if segment.bytes > SEGMENT_BYTES - 2**20:
            self.finish(at)
            self._ask()
        elif not segment.due and (at - segment.began >= self._wish.segment_s or segment.bytes >= CUT_BYTES):
            segment.due = True
            self._ask()

    def _ask(self) -> None:
        self._asked = True
        self._key_wanted()

    def _look(self, now: float) -> None:
        if self._open is not None and now - self._open.frames[-1][0] > GAP_S:
            self.finish(now)


def _samples(segment: _Open, first: int, end: float) -> list[Sample]:
    """The frames from the `first` on, as long as each is shown; the last one until `end`."""
    frames = segment.frames[first:]
    starts = [round((at - segment.began) * 1000) for at in (*(at for at, _, _ in frames), end)]
    spans = (after - before for before, after in pairwise(starts))
    return [Sample(data, span, key) for (_, data, key), span in zip(frames, spans, strict=True)]


def _made(segment: _Open, end: float, size: tuple[int, int], pieces: list[bytes]) -> Segment:
    inputs = tuple(
        Inputs(second, counted["keys"], counted["buttons"], counted["wheel"])
        for second, counted in sorted(segment.felt.items())
    )
    length = sum(map(len, pieces))
    return Segment(
        segment.number, segment.run, segment.began, end - segment.began, size, pieces, length, inputs
    )


def _done(message: Message) -> tuple[str, int]:
    """What was pressed or turned, and how often: as `transom_wire.rfb_tally` counts on noVNC."""
    match message:
        case Key(down=True):
            return "keys", 1
        case Text(text=text):
            return "keys", len(text)
        case Button(down=True):
            return "buttons", 1
        case Wheel(dx=dx, dy=dy):
            return "wheel", abs(dx) + abs(dy)
    return "", 0
