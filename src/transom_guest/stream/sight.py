"""Is anything lit on the desktop? Asked by a viewer whose picture is black, to tell a black desktop from a dead stream.

The pixels are read anew and by themselves: the capture may be what is broken.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from transom_guest.x11.shm import BYTES_PER_PIXEL, Screen
from transom_guest.x11.xlib import Display, XError

LIT = 48
"""A colour's part over this (0..255) is lit; the page calls black what is at most 12 in all of a picture."""
ENOUGH = 64
"""So many lit pixels, in the rows looked at, survive any encoder; fewer may not, and are called black."""
EVERY = 4
"""One row of so many is looked at: a line of text is higher."""
KEEP_S = 1.0
"""Seconds an answer holds: viewers' questions cost the machine no more than one look in that time."""
_DARK = bytes(range(LIT + 1))


class Sight:
    """Looks, each time by a connection of its own. All calls come from the event loop's thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until, self._lit = -1.0, False

    def told(self) -> str:
        """The answer to a viewer's question. What cannot be read just now, as while the desktop is resized, is
        called black: nothing follows from that."""
        now = self._clock()
        if now >= self._until:
            self._until = now + KEEP_S
            try:
                self._lit = _look()
            except XError:
                self._lit = False
        return json.dumps(["lit", int(self._lit)])


def _look() -> bool:
    """Raises XError."""
    display = Display()
    try:
        screen = Screen(display, *display.size())
        try:
            return screen.refresh(0, screen.height) and any_lit(screen.pixels, screen.stride)
        finally:
            screen.close()
    finally:
        display.close()


def any_lit(pixels: memoryview, stride: int) -> bool:
    """True when ENOUGH pixels of BGRx rows are lit."""
    found = 0
    for top in range(0, len(pixels) - stride + 1, stride * EVERY):
        row = pixels[top : top + stride]
        found += max(len(bytes(row[part::BYTES_PER_PIXEL]).translate(None, _DARK)) for part in range(3))
        if found >= ENOUGH:
            return True
    return False
