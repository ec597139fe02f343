"""Keysyms to key strokes on one display: thin over XTEST; `layout` decides."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from transom_guest.input.characters import common_pairs, keysyms_of
from transom_guest.input.layout import (
    ISO_LEVEL3_SHIFT,
    LEVEL3,
    LEVEL_KEYS,
    LOCKS,
    SHIFT,
    SHIFT_L,
    Layout,
    Stroke,
    is_modifier,
)
from transom_guest.input.reading import Reading
from transom_guest.x11.events import MAPPING_NOTIFY, XEvent
from transom_guest.x11.keymap import Keymap
from transom_guest.x11.pings import Pings
from transom_guest.x11.xlib import Display
from transom_guest.x11.xtest import FakeInput

LOCK_MASK = 1 << 1
"""Caps Lock among the X modifiers."""
TEXT_CHUNK = 24
"""Characters typed between two breaths, so that other work goes on."""
log = logging.getLogger("transom.input")


class Keyboard:
    """Presses and releases by keysym; what the layout lacks goes to spare keys."""

    def __init__(self, display: Display, fake: FakeInput) -> None:
        self._display, self._fake = display, fake
        self._keymap = Keymap(display)
        self._layout = Layout(self._keymap.read())
        self._reading = Reading(Pings(display), self.read)
        # beforehand: a key that is pressed right after its map changed, some programs still read by the old one
        unused = dict.fromkeys(self._layout.used, (0, 0))
        self._keymap.bind(unused | self._layout.stock(common_pairs()))
        self._down: dict[int, int] = {}
        """Keysym -> keycode, for all that is pressed now."""
        self._stale = False
        self._unlock()

    async def prepare(self, keysyms: Iterable[int]) -> None:
        """Bind spare keys where the layout lacks some of these, and return once programs have the new map."""
        missing = [keysym for keysym in keysyms if self.lacks(keysym)]
        if not missing:
            return
        # whoever set another layout took the keys away that were bound beforehand
        self._keymap.bind(self._layout.stock(common_pairs()))
        if self._layout.free < len(missing):
            # a program that has not come to a key yet would take it for the next sign
            await self._reading.caught_up()
            self._clear()
        self._bind_missing(missing)
        await self._reading.caught_up()

    def lacks(self, keysym: int) -> bool:
        """Whether no key makes `keysym` now."""
        if keysym in LOCKS or is_modifier(keysym):
            return False
        self._follow()
        return self._layout.find(keysym, 0) is None

    def press(self, keysym: int) -> None:
        """Press the key that makes `keysym`, faking Shift and AltGr as it needs; locks are ignored."""
        if keysym in LOCKS or keysym in self._down:
            return
        stroke = self._stroke(keysym)
        if stroke is None:
            return
        self._unlock()
        if stroke.keycode in self._down.values():
            self._fake.key(stroke.keycode, False)
            self._down = {held: code for held, code in self._down.items() if code != stroke.keycode}
        self._hold_on()
        with self._level(stroke.level):
            self._fake.key(stroke.keycode, True)
        self._down[keysym] = stroke.keycode

    def repeat(self, keysym: int) -> None:
        """Have the key that `press` pressed for `keysym` repeat once, with Shift and AltGr as it needs."""
        keycode = self._down.get(keysym)
        stroke = None if keycode is None or is_modifier(keysym) else self._stroke(keysym)
        if stroke is not None and stroke.keycode == keycode:
            self._hold_on()
            with self._level(stroke.level):
                self._fake.key(stroke.keycode, True)

    def release(self, keysym: int) -> None:
        """Release the key that `press` pressed for `keysym`."""
        keycode = self._down.pop(keysym, None)
        if keycode is not None:
            self._fake.key(keycode, False)

    async def type(self, text: str, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Type committed text, whatever the layout, with the level keys that are held lifted meanwhile.

        `goes_on` is asked before each TEXT_CHUNK: on False the rest is left untyped.
        """
        pending = iter(keysyms_of(text))
        size = max(1, min(TEXT_CHUNK, self._layout.spares // 2))
        self._unlock()
        while goes_on() and (chunk := list(islice(pending, size))):
            await self.prepare(chunk)
            if not goes_on():
                return
            for keysym in chunk:
                self._strike(keysym)
            self._display.sync()
            await asyncio.sleep(0)

    def read(self) -> None:
        """Take in every event of the display that is there; many may be in Xlib's own queue."""
        # a change of the keyboard map is asked about, and what comes before the answer is in that queue then
        while events := self._display.events():
            for event in events:
                self.handle(event)

    def handle(self, event: XEvent) -> None:
        """Follow a change of the keyboard map that somebody else made; hear what programs answer."""
        self._reading.handle(event)
        if event.type != MAPPING_NOTIFY:
            return
        self._display.x.XRefreshKeyboardMapping(event)
        first, count = event.mapping.first_keycode, event.mapping.count
        self._stale |= not all(self._layout.is_bound(code) for code in range(first, first + count))

    def _strike(self, keysym: int) -> None:
        stroke = self._stroke(keysym)
        if stroke is None or stroke.keycode in self._down.values():
            return
        with self._level(stroke.level or 0):
            self._fake.key(stroke.keycode, True)
            self._fake.key(stroke.keycode, False)

    def _stroke(self, keysym: int) -> Stroke | None:
        self._follow()
        stroke = self._layout.find(keysym, self._level_down())
        if stroke is None and not is_modifier(keysym):
            if not self._layout.free:
                self._clear()
            if self._bind_missing([keysym]):
                stroke = self._layout.find(keysym, 0)
        return stroke

    def _unlock(self) -> None:
        """A keysym is meant as it is: Caps Lock, which programs and VNC clients turn on, would turn its case."""
        self._keymap.unlock(LOCK_MASK)

    def _hold_on(self) -> None:
        """Press the modifiers again that something else let go of: a VNC client that ends lets go of all it held."""
        held = [code for keysym, code in self._down.items() if is_modifier(keysym)]
        down = self._fake.keys_down() if held else []
        for code in held:
            if code not in down:
                self._fake.key(code, True)

    def _follow(self) -> None:
        if self._stale:
            self._stale = False
            self._layout.reread(self._keymap.read())

    def _bind_missing(self, keysyms: Iterable[int]) -> bool:
        """Bind spare keys for what the layout lacks; True when the map changed."""
        changes: dict[int, tuple[int, int]] = {}
        for keysym in dict.fromkeys(keysyms):
            if self._layout.find(keysym, 0) is None:
                keycode = self._layout.bind(keysym)
                if keycode is None:
                    log.warning("no spare key is left")
                    break
                changes[keycode] = (keysym, keysym)
        self._keymap.bind(changes)
        return bool(changes)

    def _clear(self) -> None:
        self._keymap.bind(dict.fromkeys(self._layout.clear(self._down.values()), (0, 0)))

    def _level_down(self) -> int:
        level = 0
        for keysym in self._down:
            level |= LEVEL_KEYS.get(keysym, 0)
        return level

    @contextmanager
    def _level(self, wanted: int | None) -> Iterator[None]:
        """Have exactly the level keys of `wanted` down for a moment; None: leave them as they are."""
        have = self._level_down()
        wanted = have if wanted is None else wanted
        lift = [code for keysym, code in self._down.items() if LEVEL_KEYS.get(keysym, 0) & ~wanted]
        push = self._level_keycodes(wanted & ~have)
        for code in lift:
            self._fake.key(code, False)
        for code in push:
            self._fake.key(code, True)
        yield
        for code in push:
            self._fake.key(code, False)
        for code in lift:
            self._fake.key(code, True)

    def _level_keycodes(self, level: int) -> list[int]:
        wanted = [keysym for bit, keysym in ((SHIFT, SHIFT_L), (LEVEL3, ISO_LEVEL3_SHIFT)) if level & bit]
        found = [self._layout.find(keysym, 0) for keysym in wanted]
        return [stroke.keycode for stroke in found if stroke]
