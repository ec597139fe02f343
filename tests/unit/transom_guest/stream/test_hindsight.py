from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.transom_guest.stream.test_recorder import FRAMES
from transom_guest.input.message import Key
from transom_guest.signin_pages.asking import EACH_S
from transom_guest.signin_pages.sight import CLEAR, SHOWN, SILENT, STARTING, UNWATCHED, Sight
from transom_guest.stream.hindsight import HOLD_S, Hindsight
from transom_guest.stream.page_guard import GONE_S, LATE_S, START_S, PageGuard
from transom_guest.stream.recorder import Recorder
from transom_wire.record import Record


@dataclass
class Answering:
    """Answers, by a rule."""

    look: Callable[[float], float]


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
        self.late = 0.0
        """Seconds that the browser takes for an answer."""
        self.guard = PageGuard(self.hindsight, self.sight, Answering(lambda now: now - self.late))

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


def test_what_the_browser_has_not_said_to_be_clear_is_held_and_then_dropped(desk: Desk) -> None:
    desk.late = LATE_S - 4
    desk.watch(LATE_S + 4, key=True)
    assert desk.guard.seen == CLEAR and not desk.hindsight.settled
    answered = desk.now - desk.late
    for _ in range(38):
        desk.late += 0.1
        desk.watch(0.1)
    assert desk.guard.seen == CLEAR, "its answer may come yet"
    desk.late += 0.5
    desk.watch(0.1)
    assert desk.guard.seen == SILENT and desk.hindsight.hidden and desk.hindsight.settled
    assert desk.spans()[-1][1] == pytest.approx(answered, abs=0.2)
    desk.late = 0
    desk.watch(0.1)
    assert desk.guard.seen == CLEAR and not desk.hindsight.hidden


def test_a_page_that_was_left_is_on_the_screen_until_the_next_one_answers(desk: Desk) -> None:
    desk.watch(1, key=True)
    desk.shows = SHOWN
    desk.watch(1)
    desk.shows, desk.late = CLEAR, 4
    desk.watch(GONE_S + 1)
    assert desk.hindsight.hidden, "who says that it is gone has not painted another yet"
    desk.watch(1.2)
    assert not desk.hindsight.hidden


def test_what_is_held_as_recording_ends_waits_for_the_answer_too(desk: Desk) -> None:
    desk.late = 5
    desk.watch(8, key=True)
    desk.wish("off")
    desk.look(HOLD_S + 0.1)
    assert not desk.hindsight.settled and desk.guard.seen == CLEAR
    desk.shows = SHOWN
    desk.look(0.1)
    assert desk.hindsight.settled and not desk.recorder.on
    ((_, ended),) = desk.spans()
    assert ended <= 106.0


class Browser:
    """What it paints, and what it says of that in its order, each word as late as it likes."""

    def __init__(self, painted: list[tuple[float, float]], delays: list[float]) -> None:
        self._signins, self._delays = painted, delays
        self._words: list[tuple[float, str, float]] = []
        """When it comes, what it is, and of when."""
        for began, ended in painted:
            self.say(began, "shown", began)
            self.say(ended, "gone", ended)
        self._shown = self._came = False
        self.until = float("-inf")
        self._questions: list[tuple[float, float]] = []

    def paints_signin(self, at: float) -> bool:
        return any(began <= at < ended for began, ended in self._signins)

    def say(self, at: float, what: str, of: float) -> None:
        self._words.append((at, what, of))

    def plan(self, asked_each: float, end: float) -> None:
        """Questions come to it as late as it likes, and words leave it in their order."""
        at, number = 100.0, 0
        while at < end:
            heard = at + self._delays[number % len(self._delays)]
            if not self.paints_signin(heard):
                self.say(heard, "clear", at)
            at, number = at + asked_each, number + 1
        self._words.sort(key=lambda word: word[0])
        last, words = 0.0, []
        for number, (at, what, of) in enumerate(self._words):
            last = max(last, at + self._delays[(number * 7) % len(self._delays)])
            words.append((last, what, of))
        self._words = words

    def hear(self, now: float) -> float:
        while self._words and self._words[0][0] <= now:
            _, what, of = self._words.pop(0)
            if what == "clear":
                self.until = max(self.until, of)
            else:
                self._shown = what == "shown"
                self._came = True
        return self.until

    def look(self) -> str:
        came, self._came = self._came, False
        return SHOWN if self._shown or came else CLEAR


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(st.floats(0.2, 12), st.floats(0.05, 6)), max_size=4),
    st.lists(st.floats(0, 9), min_size=1, max_size=6),
)
def test_no_picture_of_a_page_to_sign_in_at_is_recorded_however_late_the_browser_says_so(
    pages: list[tuple[float, float]], delays: list[float]
) -> None:
    painted, at = [], 100.0
    for after, length in pages:
        painted.append((at + after, at + after + length))
        at += after + length
    browser = Browser(painted, delays)
    browser.plan(EACH_S, 160.0)
    desk = Desk(Path("/nowhere"))
    desk.sight.look = browser.look  # type: ignore[method-assign]
    desk.guard = PageGuard(desk.hindsight, desk.sight, Answering(browser.hear))
    recorded: list[float] = []
    desk.recorder.take = lambda _data, _key, at: recorded.append(at)  # type: ignore[method-assign]
    desk.wish("on")
    while desk.now < 150:
        desk.hindsight.take(*FRAMES[0], desk.now)
        desk.look(0.1)
    assert not [at for at in recorded if browser.paints_signin(at)]


def test_another_run_begins_when_it_is_wished_and_not_when_what_is_held_has_gone(desk: Desk) -> None:
    desk.watch(4, key=True)
    asked, wished = desk.asked, desk.now
    desk.hindsight.wish(Record("on", 2, 20), wished)
    assert desk.asked == asked + 1
    desk.watch(1, key=True)
    desk.look(HOLD_S)
    desk.wish("off")
    desk.look(HOLD_S)
    runs = [(each.run, round(each.began, 1)) for each in desk.recorder.waiting]
    assert runs == [(1, 100.0), (2, round(wished, 1))]
