from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.transom_guest.stream.test_recorder import FRAMES
from transom_guest.input.message import Key
from transom_guest.signin_pages.sight import CLEAR, SHOWN, SILENT, STARTING, UNWATCHED, Sight
from transom_guest.stream.hindsight import HOLD_S, Hindsight
from transom_guest.stream.page_guard import GONE_S, START_S, PageGuard
from transom_guest.stream.recorder import Recorder
from transom_wire.record import Record


class Desk:
    """A recorder behind its hindsight, a page that is shown, and a clock."""

    def __init__(self, tmp_path: Path) -> None:
        self.asked = 0
        self.now = 100.0
        self.recorder = Recorder(self._ask, lambda: None)
        self.hindsight = Hindsight(self.recorder)
        self.sight = Sight(tmp_path)
        self.shows = CLEAR
        self.sight.look = lambda: self.shows  # type: ignore[method-assign]
        self.guard = PageGuard(self.hindsight, self.sight)

    def _ask(self) -> None:
        self.asked += 1

    def wish(self, state: str) -> None:
        self.hindsight.wish(Record(state, 1, 20), self.now)

    def watch(self, seconds: float, *, key: bool = False) -> None:
        """Ten frames a second; the first of them a key frame, where wanted."""
        for number in range(round(seconds * 10)):
            data, is_key = FRAMES[0 if key and not number else 1]
            self.hindsight.take(data, is_key, self.now)
            self.look(0.1)

    def look(self, after: float) -> None:
        self.now += after
        self.guard.look(self.now)
        self.hindsight.look(self.now)

    def spans(self) -> list[tuple[float, float]]:
        return [
            (round(each.began, 1), round(each.began + each.duration, 1)) for each in self.recorder.waiting
        ]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.wish("on")
    return made


def test_all_is_recorded_a_moment_later(desk: Desk) -> None:
    desk.watch(4, key=True)
    desk.hindsight.felt(Key(1, 0x61, True), desk.now)
    desk.wish("off")
    assert not desk.hindsight.on and not desk.hindsight.settled and not desk.spans()
    while not desk.hindsight.settled:
        desk.look(0.1)
    assert desk.spans() == [(100.0, 104.0)]
    assert [each.keys for each in desk.recorder.waiting[0].inputs] == [1]


def test_what_was_taken_shortly_before_a_page_to_sign_in_at_is_dropped(desk: Desk) -> None:
    desk.watch(3, key=True)
    desk.watch(1, key=True)
    desk.shows = SHOWN
    desk.watch(1)
    assert desk.hindsight.hidden and desk.guard.seen == SHOWN
    ((began, ended),) = desk.spans()
    assert began == 100.0 and ended <= 104.2 - HOLD_S
    assert HOLD_S >= 2, "the browser's word takes a second on a busy machine, and a picture may be older"
    desk.hindsight.felt(Key(1, 0x61, True), desk.now)
    desk.watch(3)
    desk.shows = CLEAR
    desk.watch(GONE_S - 0.3)
    assert desk.hindsight.hidden, "the browser may show it still"
    asked = desk.asked
    desk.watch(0.5)
    assert not desk.hindsight.hidden and desk.asked == asked + 1
    again = desk.now
    desk.watch(4, key=True)
    desk.wish("off")
    desk.look(HOLD_S + 0.1)
    assert len(desk.spans()) == 2 and desk.spans()[1][0] == pytest.approx(again, abs=0.11)
    assert not desk.recorder.waiting[1].inputs


def test_a_wish_is_not_lost_with_what_is_dropped(desk: Desk) -> None:
    desk.watch(1, key=True)
    desk.wish("paused")
    desk.wish("on")
    desk.shows = SILENT
    desk.look(0.1)
    assert desk.hindsight.settled and desk.hindsight.hidden and desk.recorder.on and not desk.spans()
    desk.wish("off")
    assert not desk.hindsight.hidden and not desk.recorder.on


def test_nothing_is_looked_at_while_nothing_is_recorded_nor_hidden_where_nobody_looks(desk: Desk) -> None:
    desk.shows = UNWATCHED
    desk.look(0.1)
    assert desk.guard.seen == UNWATCHED and desk.hindsight.on
    desk.wish("paused")
    desk.shows = SHOWN
    desk.look(0.1)
    assert desk.guard.seen == CLEAR and not desk.hindsight.hidden


def test_a_browser_is_given_time_to_start_and_nothing_is_recorded_meanwhile(desk: Desk) -> None:
    desk.shows = STARTING
    desk.watch(START_S - 0.5, key=True)
    assert desk.guard.seen == STARTING and desk.hindsight.hidden
    desk.watch(1)
    assert desk.guard.seen == SILENT
    desk.shows = CLEAR
    desk.watch(GONE_S - 0.3)
    assert desk.hindsight.hidden, "it may show what was there before its word"
    desk.watch(0.5)
    assert desk.hindsight.on and not desk.spans()
    desk.shows = STARTING
    desk.look(0.1)
    assert desk.guard.seen == STARTING, "it was started again"
