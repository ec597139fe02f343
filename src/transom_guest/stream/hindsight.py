"""What goes to the recorder goes there a moment late: a page to sign in at is known of after its first picture.

All calls come from the event loop's thread, and none waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from transom_guest.input.message import Message
from transom_guest.stream.recorder import Fetched, Recorder, Segment
from transom_wire.record import Record

HOLD_S = 2.5
"""Seconds that all is held at least: the browser's word takes a tenth of one, on a busy machine one."""


class Hindsight:
    """Stands before a recorder. While `hidden` nothing is taken, and what was held when that began is dropped."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._wish = Record("off", 0)
        self._held: deque[tuple[float, Callable[[], None], bool]] = deque()
        self.hidden = False
        self.clear_until = float("inf")
        """What is later is held on: whether a page to sign in at was shown then is not known yet."""

    @property
    def wanted(self) -> bool:
        """The controller wants frames."""
        return self._wish.state == "on"

    @property
    def on(self) -> bool:
        """Frames are taken."""
        return self.wanted and not self.hidden

    @property
    def waiting(self) -> deque[Segment]:
        """Segments that are finished."""
        return self._recorder.waiting

    @property
    def settled(self) -> bool:
        """Nothing is held any more."""
        return not self._held

    def wish(self, record: Record, now: float) -> None:
        """Do as the controller says, from this frame on; what is held still goes its way."""
        self._wish = record
        if not self.wanted:
            self.hidden = False
        act = partial(self._recorder.wish, record, now)
        if self._held:
            self._held.append((now, act, True))
            if self.wanted:
                # The key frame that it begins with is wanted of this moment, not of when this is let go.
                self._recorder.begin_anew()
        else:
            act()

    def take(self, data: bytes, key: bool, at: float) -> None:
        """A frame that went to the viewers."""
        if self.on:
            self._hold(at, partial(self._recorder.take, data, key, at))

    def felt(self, message: Message, at: float) -> None:
        """A viewer did something."""
        if self.on:
            self._hold(at, partial(self._recorder.felt, message, at))

    def look(self, now: float) -> None:
        """Now and then: what was held for long enough goes on."""
        self._let_go(now)
        if not self._held:
            self._recorder.look(min(now - HOLD_S, self.clear_until))

    def hide(self, now: float) -> None:
        """A page to sign in at is shown, for a moment already."""
        if self.hidden:
            return
        self.hidden = True
        self._recorder.finish(min(now - HOLD_S, self.clear_until))
        wishes = [act for _, act, wish in self._held if wish]
        self._held.clear()
        for act in wishes:
            act()

    def show(self) -> None:
        """It is gone."""
        if self.hidden:
            self.hidden = False
            self._recorder.begin_anew()

    def part(self, has: Fetched) -> Segment | None:
        """Of the segment that is being recorded, which has only what was let go."""
        return self._recorder.part(has)

    def fetched(self, number: int) -> None:
        """The controller has that segment."""
        self._recorder.fetched(number)

    def _hold(self, at: float, act: Callable[[], None]) -> None:
        self._held.append((at, act, False))
        self._let_go(at)

    def _let_go(self, now: float) -> None:
        until = min(now - HOLD_S, self.clear_until)
        while self._held and self._held[0][0] <= until:
            self._held.popleft()[1]()
