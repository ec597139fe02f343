"""The desktop's clipboard and its viewers': thin over Exchange, Reading, Serving and Courier."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from transom_guest.clipboard.courier import Courier, Wire
from transom_guest.clipboard.exchange import Act, Exchange, Own, Say, Send, Settled
from transom_guest.clipboard.item import Item
from transom_guest.clipboard.reading import Reading, Targets
from transom_guest.clipboard.serving import Serving
from transom_guest.x11.events import XEvent
from transom_guest.x11.selection import Answered, Asked, News, Owned, Selection, Taken, Written
from transom_guest.x11.xlib import Display
from transom_wire.link import PeerTerms

MAX_EVENTS = 64
"""Events of the desktop's programs taken in at once; then others have their turn."""
SETTLE = 0.05
"""Seconds after a change of owner before it is read: some programs take the clipboard several times."""
LOOK = 0.5
"""Seconds between looks at deadlines, while any runs."""
PROPERTIES = 4
"""Names taken in turn, so that a late answer is not taken for the one that is awaited."""
log = logging.getLogger("transom.clipboard")


class Clipboard:
    """All calls come from one event loop, in which it must be made."""

    def __init__(self, display: Display, clock: Callable[[], float]) -> None:
        """`display` is this object's own connection. Raises XError."""
        self._display, self._clock = display, clock
        self._loop = asyncio.get_running_loop()
        self._selection = Selection(display, "CLIPBOARD")
        self._targets = Targets(self._selection.atom)
        names = [self._selection.atom(f"TRANSOM_CLIPBOARD_{number}") for number in range(PROPERTIES)]
        self._properties, self._turn = names, 0
        self._serving = Serving(self._selection, self._targets, clock)
        self._exchange = Exchange()
        self._couriers: dict[str, Courier] = {}
        self._reading: Reading | None = None
        self._reads = 0
        self.owns = False
        """What a viewer sent is the desktop's clipboard."""
        self._due: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._loop.add_reader(display.fileno(), self._read)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Items taken from viewers, sent to them, and refused, so far."""
        counts = self._exchange.counts
        return counts.taken, counts.sent, counts.refused

    def admit(self, viewer: str, terms: PeerTerms) -> None:
        """A viewer came, or its terms are others now."""
        self._do(self._exchange.admit(viewer, terms))

    def opened(self, viewer: str, wire: Wire) -> None:
        """A viewer's channel is open."""
        self._couriers[viewer] = Courier(wire)
        self._do(self._exchange.opened(viewer, self._clock()))

    def heard(self, viewer: str, message: str | bytes) -> None:
        """A viewer said something on its channel. Raises FrameError."""
        now = self._clock()
        if isinstance(message, str):
            self._do(self._exchange.text(viewer, message, now))
        else:
            if self._exchange.ends(viewer, len(message)):
                # what the desktop's programs have copied by now is newer, and may not have been heard of
                self._display.sync()
                self._read()
            self._do(self._exchange.chunk(viewer, message, now))
        self._look_soon()

    def refused(self, viewer: str) -> int:
        """How many items of a viewer's were not taken that should not have been sent."""
        return self._exchange.refused(viewer)

    def leave(self, viewer: str) -> None:
        """A viewer ended."""
        self._exchange.leave(viewer)
        courier = self._couriers.pop(viewer, None)
        if courier is not None:
            courier.stop()

    def close(self) -> None:
        """Let go of the desktop."""
        self._loop.remove_reader(self._display.fileno())
        for viewer in list(self._couriers):
            self.leave(viewer)
        for timer in (self._due, self._looking):
            if timer is not None:
                timer.cancel()
        self._display.close()

    def _do(self, acts: list[Act]) -> None:
        for act in acts:
            courier = self._couriers.get(act.viewer)
            if isinstance(act, Own):
                self._own(act.item)
            if courier is None:
                continue
            match act:
                case Say(_, text) | Own(_, _, text):
                    courier.say(text)
                case Send(_, item, copies):
                    courier.send(item, copies)
                case Settled(_, id):
                    courier.settled(id)

    def _own(self, item: Item) -> None:
        # what is still being read is older than this, and may be what a viewer sent before: not its news
        self._reading = None
        self._serving.item = item
        self._selection.own()
        # the viewer is told after this: whoever pastes then finds it
        self._display.sync()
        self._read()

    def _read(self) -> None:
        for event in self._display.some_events(MAX_EVENTS):
            self._take(event)
        self._flush()

    def _flush(self) -> None:
        self._display.flush()
        # what is sent, and what waits for a reply, may read events into Xlib's own queue
        if self._display.queued():
            self._loop.call_soon(self._read)

    def _take(self, event: XEvent) -> None:
        news = self._selection.news(event)
        match news:
            case Owned(window):
                self._owner_is(window)
            case Asked():
                self._serving.asked(news)
                self._look_soon()
            case Taken(window, property):
                self._serving.taken(window, property)
            case Answered() | Written():
                self._conversed(news)
            case None:
                pass

    def _owner_is(self, window: int) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self.owns = window == self._selection.window
        if self.owns:
            self._reading = None
        elif window:
            self._exchange.taken()
            self._due = self._loop.call_later(SETTLE, self._begin)

    def _begin(self) -> None:
        self._due = None
        self._do(self._exchange.owned())
        limit = self._exchange.wanted()
        if not limit:
            return
        self._turn, self._reads = (self._turn + 1) % PROPERTIES, self._exchange.copies
        property = self._properties[self._turn]
        self._reading = Reading(self._selection, self._targets, property, limit, self._clock)
        self._look_soon()
        self._flush()

    def _conversed(self, news: News) -> None:
        reading = self._reading
        if reading is None:
            return
        if isinstance(news, Answered):
            reading.answered(news.property)
        elif isinstance(news, Written):
            reading.written(news.property)
        if reading.over:
            self._reading = None
            if reading.item is not None:
                self._do(self._exchange.copied(reading.item, self._reads, self._clock()))
                self._look_soon()

    def _look_soon(self) -> None:
        busy = self._reading is not None or self._serving.busy or self._exchange.waiting()
        if busy and self._looking is None:
            self._looking = self._loop.call_later(LOOK, self._look)

    def _look(self) -> None:
        self._looking = None
        if self._reading is not None and self._reading.late():
            log.info("the owner of the clipboard does not answer")
            self._reading = None
        self._serving.late()
        self._do(self._exchange.late(self._clock()))
        self._look_soon()
        self._flush()
