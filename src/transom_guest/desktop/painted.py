"""Has the program's window really painted? `python3 -m transom_guest.desktop.painted PROGRAM` waits and says so.

Prints `desktop` once a window manager manages, then `painted WIDTH HEIGHT` (the desktop's pixels) once
a window of the program is mapped, viewable and not of one colour, and ends. A process of its own: X calls
block. While no such window is there it sleeps until the X server tells of a new one: a warm machine may wait
for hours.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

LOOK_EVERY = 0.15 if "TRANSOM_EMULATED" in os.environ else 0.02
"""Seconds between looks at a window that has not painted; each is a handful of round trips to a local server,
and where all is emulated it takes the time from the program that should paint."""
LOOK_ANYWAY = 5.0
"""Seconds after which it looks though nothing was told."""
CLASSES = {"browser": "chromium", "terminal": "xterm"}
"""Program -> what the class of its windows holds."""
SMALLEST_SIDE = 64
"""Pixels; what is smaller is a helper window."""
FIRST_LINE = 12
"""Pixels from the top to the middle of a terminal's first line of text."""
COLOURS = 3
"""A window with fewer colours than this along its sample lines shows nothing yet."""


class Pixels(Protocol):
    """A viewable window: its size, and one row or column of its pixels, four bytes each."""

    width: int
    height: int

    def row(self, y: int) -> bytes: ...
    def column(self, x: int) -> bytes: ...


def has_painted(window: Pixels) -> bool:
    """True when the window's sample lines show at least COLOURS colours."""
    if window.width < SMALLEST_SIDE or window.height < SMALLEST_SIDE:
        return False
    lines = [
        window.row(window.height // 20),
        window.row(window.height // 2),
        window.column(window.width // 2),
        # a terminal's first line, and all that a new one shows, is up here
        window.row(min(FIRST_LINE, window.height - 1)),
    ]
    return len(colours(lines)) >= COLOURS


def colours(lines: Iterable[bytes]) -> set[bytes]:
    """The colours in rows of 32-bit pixels; the fourth byte is padding."""
    return {line[at : at + 3] for line in lines for at in range(0, len(line) - 3, 4)}


class _Window:
    def __init__(self, window: Any, width: int, height: int) -> None:
        self._window, self.width, self.height = window, width, height

    def row(self, y: int) -> bytes:
        return self._image(0, y, self.width, 1)

    def column(self, x: int) -> bytes:
        return self._image(x, 0, 1, self.height)

    def _image(self, x: int, y: int, width: int, height: int) -> bytes:
        z_pixmap = 2
        data: bytes = self._window.get_image(x, y, width, height, z_pixmap, 0xFFFFFFFF).data
        return data


def windows(root: Any, of_class: str) -> Iterator[Any]:
    """Windows of a class, under the root or under a window manager's frame."""
    for top in root.query_tree().children:
        for window in (top, *top.query_tree().children):
            name = window.get_wm_class()
            if name is not None and of_class in name[1].lower():
                yield window


class Watch:
    """Looks at one display for one program."""

    def __init__(self, program: str) -> None:
        """Connect. Raises the X client's errors."""
        from Xlib import X, display, error

        self._x, self._gone = X, error.XError
        self._server = display.Display()
        self._root = self._server.screen().root
        self._root.change_attributes(event_mask=X.SubstructureNotifyMask | X.PropertyChangeMask)
        self._managed = self._server.intern_atom("_NET_SUPPORTING_WM_CHECK")
        self._class = CLASSES[program]

    def managed(self) -> bool:
        """Whether a window manager manages."""
        return self._root.get_full_property(self._managed, self._x.AnyPropertyType) is not None

    def look(self) -> tuple[bool, bool]:
        """Whether a window of the program is there, and whether one has painted."""
        there = False
        try:
            for window in windows(self._root, self._class):
                there = True
                if window.get_attributes().map_state != self._x.IsViewable:
                    continue
                size = window.get_geometry()
                if has_painted(_Window(window, size.width, size.height)):
                    return True, True
        except self._gone:  # a window went away between two calls
            return there, False
        return there, False

    def size(self) -> tuple[int, int]:
        """Of the desktop, in pixels."""
        found = self._root.get_geometry()
        return found.width, found.height

    def sleep(self, seconds: float) -> None:
        """Until something changes, `seconds` at most."""
        if not self._server.pending_events():
            select.select([self._server.fileno()], [], [], seconds)
        while self._server.pending_events():
            self._server.next_event()


def main(program: str) -> int:
    """Look until both are seen; returns 1 when the display goes away."""
    from Xlib.error import ConnectionClosedError, DisplayError

    try:
        watch = Watch(program)
        desktop = painted = False
        while True:
            desktop = desktop or (watch.managed() and _say("desktop"))
            there, painted = watch.look()
            if painted and desktop:
                width, height = watch.size()
                _say(f"painted {width} {height}")
                return 0
            watch.sleep(LOOK_EVERY if there else LOOK_ANYWAY)
    except (DisplayError, ConnectionClosedError, OSError):
        return 1


def _say(line: str) -> bool:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
