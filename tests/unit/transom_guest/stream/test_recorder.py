from __future__ import annotations

import io
import time

import av
import pytest

from tests.unit.transom_guest.stream.test_mp4 import encoded
from transom_guest.input.message import Button, Key, Move, Text, Wheel
from transom_guest.stream import recorder as module
from transom_guest.stream.recorder import Recorder
from transom_wire.record import Inputs, Record

FRAMES = encoded(64, 64, [60] * 40)
OTHER = encoded(128, 64, [200] * 3)


class Desk:
    """A recorder, what it asked for, and a clock."""

    def __init__(self, segment_s: int = 2) -> None:
        self.asked = self.told = 0
        self.recorder = Recorder(self._ask, self._tell)
        self.segment_s = segment_s
        self.now = 100.0

    def _ask(self) -> None:
        self.asked += 1

    def _tell(self) -> None:
        self.told += 1

    def wish(self, state: str, run: int = 1) -> None:
        self.recorder.wish(Record(state, run, self.segment_s), self.now)

    def frame(
        self, number: int = 1, *, frames: list[tuple[bytes, bool]] = FRAMES, after: float = 0.1
    ) -> None:
        self.now += after
        self.recorder.take(*frames[number], self.now)

    def key(self, **how: float) -> None:
        self.frame(0, **how)  # type: ignore[arg-type]

    def lengths(self) -> list[int]:
        """Frames that a decoder finds in each finished segment."""
        found = []
        for segment in self.recorder.waiting:
            with av.open(io.BytesIO(b"".join(segment.parts))) as container:
                found.append(len(list(container.decode(video=0))))
        return found


def test_nothing_is_taken_unless_it_is_wanted() -> None:
    desk = Desk()
    desk.key()
    assert not desk.recorder.on and not desk.recorder.waiting and not desk.asked
    desk.wish("on")
    assert desk.asked == 1


def test_a_segment_begins_with_a_key_frame_and_ends_where_the_next_begins() -> None:
    desk = Desk()
    desk.wish("on")
    desk.frame()
    assert desk.asked == 1, "it was asked for already"
    desk.key()
    for number in range(1, 21):
        desk.frame(number, after=0.101)
    assert desk.asked == 2 and not desk.recorder.waiting, "due, and asked for once"
    desk.frame(21)
    desk.key()
    desk.wish("off")
    first, second = desk.recorder.waiting
    assert desk.lengths() == [22, 1]
    assert first.duration == pytest.approx(2.22) and second.began == pytest.approx(first.began + 2.22)
    assert (first.number, second.number, first.run, desk.told) == (1, 2, 1, 2)


def test_pausing_ends_the_segment_at_once_and_takes_no_further_frame() -> None:
    desk = Desk()
    desk.wish("on")
    desk.key()
    desk.wish("paused")
    for _ in range(3):
        desk.key()
    assert desk.lengths() == [1]
    desk.wish("on", run=2)
    desk.key()
    desk.wish("off")
    assert [segment.run for segment in desk.recorder.waiting] == [1, 2]


def test_another_size_begins_another_segment() -> None:
    desk = Desk()
    desk.wish("on")
    desk.key()
    desk.frame(0, frames=OTHER)
    desk.wish("off")
    assert [segment.size for segment in desk.recorder.waiting] == [(64, 64), (128, 64)]


def test_a_viewer_s_own_key_frame_does_not_cut() -> None:
    desk = Desk()
    desk.wish("on")
    desk.key()
    desk.key()
    desk.wish("off")
    assert desk.lengths() == [2]


def test_when_nobody_watches_the_segment_ends_where_the_frames_did() -> None:
    desk = Desk()
    desk.wish("on")
    desk.key()
    desk.recorder.look(desk.now + 4)
    assert not desk.recorder.waiting
    desk.recorder.look(desk.now + 6)
    assert [segment.duration for segment in desk.recorder.waiting] == pytest.approx([module.STILL_S])
    desk.key(after=100)
    desk.frame(1, after=50)
    desk.wish("off")
    assert all(segment.duration < 5 for segment in desk.recorder.waiting)


def test_input_is_counted_by_kind_and_second() -> None:
    desk = Desk(segment_s=60)
    desk.wish("on")
    desk.recorder.felt(Key(1, 0x61, True), desk.now)
    desk.key()
    began = desk.now
    for message, at in (
        (Key(2, 0x61, True), 0.1),
        (Key(2, 0x61, False), 0.1),
        (Text(3, "secret"), 0.2),
        (Button(4, 1, 1, 1, True), 1.5),
        (Button(4, 1, 1, 1, False), 1.5),
        (Wheel(5, 1, 1, 0, 3), 1.6),
        (Move(6, 1, 1), 1.7),
    ):
        desk.recorder.felt(message, began + at)
    desk.wish("off")
    assert desk.recorder.waiting[0].inputs == (Inputs(0, 7, 0, 0), Inputs(1, 0, 1, 3))
    assert b"secret" not in b"".join(desk.recorder.waiting[0].parts)


def test_what_nobody_fetches_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    for run in range(1, 6):
        desk.wish("on", run)
        desk.key()
        desk.wish("paused", run)
        if run == 1:
            monkeypatch.setattr(module, "WAITING_BYTES", 2 * desk.recorder.waiting[0].bytes)
    assert [segment.run for segment in desk.recorder.waiting] == [4, 5] and desk.recorder.lost == 3
    desk.recorder.fetched(4)
    assert [segment.number for segment in desk.recorder.waiting] == [5]


def test_a_large_segment_is_cut_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CUT_BYTES", 200)
    desk = Desk(segment_s=300)
    desk.wish("on")
    desk.key()
    for number in range(1, 30):
        desk.frame(number)
    assert desk.asked == 2


def test_a_long_segment_in_full_motion_is_finished_in_little_time() -> None:
    """The frames for viewers are paced by the same loop; most of a frame's time would be seen."""
    desk = Desk(segment_s=300)
    desk.wish("on")
    desk.key()
    frame = b"\0\0\1\x41" + b"\x55" * 8000
    for _ in range(1200):
        desk.now += 1 / 60
        desk.recorder.take(frame, False, desk.now)
    began = time.perf_counter()
    desk.wish("paused")
    assert desk.recorder.waiting[0].bytes > 9 * 2**20
    assert time.perf_counter() - began < 0.1, "some 5 ms alone on a core"
