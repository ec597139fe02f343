"""Parts of a segment that is being recorded: together they are a file at each moment, of what was let go."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.transom_guest.stream.test_hindsight import Desk as Held
from tests.unit.transom_guest.stream.test_recorder import FRAMES, OTHER, Desk
from transom_guest.input.message import Key
from transom_guest.signin_pages.sight import SHOWN
from transom_guest.stream import recorder as module
from transom_guest.stream.hindsight import HOLD_S
from transom_guest.stream.recorder import Fetched, Segment
from transom_wire.record import Inputs


def times(data: bytes) -> list[int]:
    """Milliseconds at which a player shows each frame that it finds."""
    with av.open(io.BytesIO(data)) as container:
        return [round(frame.time * 1000) for frame in container.decode(video=0)]


def content(*parts: Segment | None) -> bytes:
    return b"".join(b"".join(part.parts) for part in parts if part is not None)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3000)), min_size=1, max_size=6))
def test_the_parts_until_each_are_a_file_and_all_have_the_frames_of_the_segment(
    runs: list[tuple[int, int]],
) -> None:
    desk, has, parts = Desk(300), Fetched(), []
    desk.wish("on")
    for count, after in runs:
        for _ in range(count):
            desk.frame(0 if desk.recorder.part(Fetched()) is None else 1, after=after / 1000)
        parts.append(desk.recorder.part(has))
        assert parts[-1] is not None and desk.recorder.part(has) is None
        shown = times(content(*parts))
        assert len(shown) == has.frames and shown[-1] <= round(parts[-1].duration * 1000) <= shown[-1] + 2
    desk.wish("off")
    (whole,) = desk.recorder.waiting
    assert times(content(*parts)) == times(content(whole))
    assert {(part.number, part.run, part.began) for part in parts if part is not None} == {
        (whole.number, whole.run, whole.began)
    }


def test_each_controller_has_it_from_its_beginning_and_another_segment_begins_anew() -> None:
    desk, one, two = Desk(), Fetched(), Fetched()
    desk.wish("on")
    desk.key()
    first = desk.recorder.part(one)
    desk.frame()
    desk.recorder.felt(Key(1, 0x61, True), desk.now)
    again = desk.recorder.part(two)
    assert (len(times(content(first))), len(times(content(again)))) == (1, 2)
    assert again is not None and again.inputs == (Inputs(0, 1, 0, 0),) and two.parts == 1
    desk.frame(0, frames=OTHER)
    other = desk.recorder.part(one)
    assert other is not None and other.size == (128, 64) and other.number == again.number + 1
    assert one.parts == 1 and len(times(content(other))) == 1


def test_parts_are_together_as_large_as_a_segment_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, has = Desk(300), Fetched()
    desk.wish("on")
    desk.key()
    assert desk.recorder.part(has) is not None
    desk.frame()
    monkeypatch.setattr(module, "SEGMENT_BYTES", has.bytes + 50)
    assert desk.recorder.part(has) is None


def test_nothing_is_recorded_and_nothing_is_a_part() -> None:
    desk = Desk()
    assert desk.recorder.part(Fetched()) is None
    desk.wish("on")
    assert desk.recorder.part(Fetched()) is None


@given(late=st.sampled_from([0.0, 1.0, 4.0]), steps=st.lists(st.booleans(), min_size=10, max_size=40))
def test_no_part_has_a_picture_before_its_pages_have_answered(
    tmp_path_factory: pytest.TempPathFactory, late: float, steps: list[bool]
) -> None:
    desk = Held(tmp_path_factory.mktemp("held"))
    desk.late = late
    desk.wish("on")
    desk.watch(1, key=True)
    has, latest = Fetched(), 0.0
    for shown in steps:
        desk.shows = SHOWN if shown else "clear"
        desk.watch(0.4, key=True)
        part = desk.hindsight.part(has)
        if part is not None:
            latest = part.began + part.duration
            assert latest <= desk.now - max(HOLD_S, late) + 0.2


def test_what_was_held_when_a_page_to_sign_in_at_came_is_in_no_part(tmp_path: Path) -> None:
    desk, has = Held(tmp_path), Fetched()
    desk.wish("on")
    desk.watch(4, key=True)
    first = desk.hindsight.part(has)
    desk.shows = SHOWN
    desk.look(0.1)
    assert first is not None and desk.hindsight.part(has) is None, "the segment has ended"
    desk.watch(5, key=True)
    assert desk.hindsight.part(has) is None
    (whole,) = desk.recorder.waiting
    assert len(times(content(whole))) - len(times(content(first))) <= 2


def test_a_frame_that_a_player_may_begin_at_is_known_as_one() -> None:
    desk, has = Desk(300), Fetched()
    desk.wish("on")
    for number in (0, 1, 0, 1):
        desk.frame(number)
    with av.open(io.BytesIO(content(desk.recorder.part(has)))) as container:
        assert [packet.is_keyframe for packet in container.demux(video=0) if packet.size] == [
            bytes(FRAMES[number][0]) == bytes(FRAMES[0][0]) for number in (0, 1, 0, 1)
        ]
