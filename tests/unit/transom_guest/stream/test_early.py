"""What a viewer that is just connecting is sent first."""

from __future__ import annotations

from dataclasses import dataclass

from transom_guest.stream.early import MAX_FRAMES, EarlyFrames


@dataclass(frozen=True)
class Frame:
    key: bool
    number: int = 0


def test_a_key_frame_and_what_follows_it_is_kept_while_it_is_young() -> None:
    early: EarlyFrames[Frame] = EarlyFrames()
    assert not early.expected(0.0)
    early.expect(1.0)
    assert early.expected(0.9)
    assert not early.keep(Frame(key=False))
    assert early.keep(Frame(key=True, number=1))
    assert early.keep(Frame(key=False, number=2))
    assert early.take(0.9) == [Frame(key=True, number=1), Frame(key=False, number=2)]
    assert early.take(0.9) == []
    assert not early.expected(0.9)


def test_a_newer_key_frame_takes_the_place_of_all_before_and_old_frames_are_of_no_use() -> None:
    early: EarlyFrames[Frame] = EarlyFrames()
    early.expect(1.0)
    early.keep(Frame(key=True, number=1))
    early.keep(Frame(key=False, number=2))
    early.keep(Frame(key=True, number=3))
    assert early.take(0.5) == [Frame(key=True, number=3)]
    early.expect(1.0)
    early.keep(Frame(key=True))
    assert early.take(1.0) == []


def test_a_screen_that_moves_much_is_not_kept() -> None:
    early: EarlyFrames[Frame] = EarlyFrames()
    early.expect(1.0)
    early.keep(Frame(key=True))
    for _ in range(MAX_FRAMES):
        early.keep(Frame(key=False))
    assert not early.expected(0.1)
    assert not early.keep(Frame(key=False))
    assert early.take(0.1) == []
    assert MAX_FRAMES <= 15, "a quarter of a second of motion: a new key frame is less than all that"
