"""One queue from every viewer's input to the desktop: order kept, flood bounded, acts by XTEST."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transom_guest.input.fingers import TouchAct, TouchDown, TouchMove, TouchOn, TouchUp
from transom_guest.input.held import (
    RELEASES,
    Act,
    Hands,
    MoveBy,
    MoveTo,
    PressButton,
    PressKey,
    ReleaseButton,
    ReleaseKey,
    RepeatKey,
    Scroll,
    TypeText,
)
from transom_guest.input.keyboard import Keyboard
from transom_guest.input.message import Button, Holding, Key, Message, Nudge, ReleaseAll, Text, Wheel
from transom_guest.x11.touchscreen import TouchScreen
from transom_guest.x11.xlib import Display
from transom_guest.x11.xtest import FakeInput

MAX_WAITING = 2000
"""Acts that may wait behind text being typed; beyond it new presses and moves are dropped, releases never."""
COUNTED = (Button, Holding, Key, Nudge, ReleaseAll, Text, Wheel)
"""Messages that come in the order of their numbers: what is acted out of a viewer's is told by the last of them."""
CHECK_LOST = 1.0
"""Seconds between two looks for viewers that fell silent with keys down."""
log = logging.getLogger("transom.input")


@dataclass(frozen=True, slots=True)
class Tell:
    """Stands in the queue among acts: whoever is told knows that all before it was acted out."""

    tell: Callable[[], object]


class Actor:
    """Acts out what viewers do on one display. All calls come from one event loop."""

    def __init__(
        self,
        display: Display,
        clock: Callable[[], float],
        felt: Callable[[str, int], None] = lambda _viewer, _seq: None,
        touch: TouchScreen | None = None,
    ) -> None:
        """`felt` is told each viewer's COUNTED message, by its number, when it is about to be acted out.

        Without a `touch` screen fingers touch nothing.
        """
        self._display, self._clock, self._felt = display, clock, felt
        self._fake, self._touch = FakeInput(display), touch
        self._keyboard = Keyboard(display, self._fake)
        if held := self._fake.release_all():
            log.warning("%d keys and buttons were down before anybody came", held)
        self._hands = Hands()
        self._waiting: deque[tuple[str, int | None, Act | Tell]] = deque()
        """Whose, of which number, and what."""
        self._wake = asyncio.Event()
        self._typing = False
        self._typist: str | None = None
        """Whose text is being typed; None once that viewer left."""
        self.dropped = 0

    def take(self, viewer: str, message: Message) -> None:
        """Act on a viewer's message now, or in turn while text is being typed."""
        acts = self._hands.take(viewer, message, self._clock())
        self._do(viewer, acts, message.seq if isinstance(message, COUNTED) else None)

    def after(self, viewer: str, tell: Callable[[], object]) -> None:
        """Call `tell` once all that came before is acted out; never, where the viewer ends before that."""
        if self._typing:
            self._queue(viewer, [Tell(tell)], None)
        else:
            tell()

    def leave(self, viewer: str) -> None:
        """Release whatever a viewer that ended held, and forget what it still had to type, also of a text begun."""
        if self._typist == viewer:
            self._typist = None
        # a release that is left of it tells nothing of the presses before it, which are forgotten
        self._waiting = deque(
            (whose, None if whose == viewer else seq, act)
            for whose, seq, act in self._waiting
            if whose != viewer or isinstance(act, RELEASES)
        )
        self._do(viewer, self._hands.leave(viewer))

    async def run(self) -> None:
        """Type text, follow the keyboard map and heal lost viewers, until cancelled; then release all."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._display.fileno(), self._keyboard.read)
        try:
            while True:
                try:
                    async with asyncio.timeout(CHECK_LOST if self._hands.holding() else None):
                        await self._wake.wait()
                except TimeoutError:
                    self._do("", self._hands.lost(self._clock()))
                self._wake.clear()
                await self._drain()
        finally:
            loop.remove_reader(self._display.fileno())

    def _do(self, viewer: str, acts: list[Act], seq: int | None = None) -> None:
        if not acts:
            if not self._typing:
                self._begin(viewer, seq)
            return
        if self._typing or any(self._takes_time(act) for act in acts):
            self._queue(viewer, acts, seq)
        else:
            self._begin(viewer, seq)
            for act in acts:
                self._act(act)
            self._finish()
        self._wake.set()

    def _takes_time(self, act: Act) -> bool:
        return isinstance(act, TypeText) or (isinstance(act, PressKey) and self._keyboard.lacks(act.keysym))

    def _begin(self, viewer: str, seq: int | None) -> None:
        if seq is not None:
            self._felt(viewer, seq)

    def _queue(self, viewer: str, acts: Sequence[Act | Tell], seq: int | None) -> None:
        self._typing = True
        for act in acts:
            if len(self._waiting) < MAX_WAITING or isinstance(act, RELEASES):
                self._waiting.append((viewer, seq, act))
            else:
                self.dropped += 1

    async def _drain(self) -> None:
        while self._waiting:
            viewer, seq, act = self._waiting.popleft()
            self._begin(viewer, seq)
            if isinstance(act, Tell):
                act.tell()
                continue
            if isinstance(act, TypeText):
                self._typist = viewer
                await self._keyboard.type(act.text, lambda: self._typist is not None)
                self._typist = None
                continue
            if isinstance(act, PressKey):
                await self._keyboard.prepare([act.keysym])
            self._act(act)
        self._typing = False
        self._finish()

    def _act(self, act: Act) -> None:
        match act:
            case PressKey(keysym):
                self._keyboard.press(keysym)
            case RepeatKey(keysym):
                self._keyboard.repeat(keysym)
            case ReleaseKey(keysym):
                self._keyboard.release(keysym)
            case MoveTo(x, y):
                self._fake.move(x, y)
            case MoveBy(dx, dy):
                self._fake.nudge(dx, dy)
            case PressButton(button):
                self._fake.button(button, True)
            case ReleaseButton(button):
                self._fake.button(button, False)
            case Scroll(dx, dy):
                self._scroll(dx, dy)
            case TouchOn() | TouchDown() | TouchMove() | TouchUp() if self._touch:
                self._feel(self._touch, act)

    def _feel(self, touch: TouchScreen, act: TouchAct) -> None:
        match act:
            case TouchOn(on):
                touch.turn(on)
            case TouchDown(contact, x, y):
                touch.down(contact, x, y)
            case TouchMove(contact, x, y):
                touch.move(contact, x, y)
            case TouchUp(contact):
                touch.up(contact)

    def _scroll(self, dx: int, dy: int) -> None:
        """X knows the wheel as buttons: 4 up, 5 down, 6 left, 7 right."""
        for notches, less, more in ((dy, 4, 5), (dx, 6, 7)):
            for _ in range(abs(notches)):
                button = more if notches > 0 else less
                self._fake.button(button, True)
                self._fake.button(button, False)

    def _finish(self) -> None:
        self._fake.flush()
        # what sent, and what waited for a reply, may have read events into Xlib's own queue
        self._keyboard.read()
