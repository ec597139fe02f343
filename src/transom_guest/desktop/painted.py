"""Has a browser window really painted? `python3 -m transom_guest.desktop.painted` waits and says so.

Prints `desktop` once a window manager manages, then `painted WIDTH HEIGHT` (the desktop's pixels) once
a browser window is mapped, viewable and not of one colour, and ends. A process of its own: X calls block.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

LOOK_EVERY = 0.02
"""Seconds between looks; each is a handful of round trips to a local server."""
BROWSER_CLASS = "chromium"
SMALLEST_SIDE = 64
"""Pixels; what is smaller is a helper window."""
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


def browser_windows(root: Any, viewable: int) -> Iterator[_Window]:
    """Viewable windows of the browser's class, under the root or under a window manager's frame."""
    for top in root.query_tree().children:
        for window in (top, *top.query_tree().children):
            name = window.get_wm_class()
            if name is None or BROWSER_CLASS not in name[1].lower():
                continue
            if window.get_attributes().map_state == viewable:
                size = window.get_geometry()
                yield _Window(window, size.width, size.height)


def main() -> None:
    """Look until both are seen; ends with status 1 when the display goes away."""
    from Xlib import X, display, error

    try:
        server = display.Display()
        root = server.screen().root
        managed = server.intern_atom("_NET_SUPPORTING_WM_CHECK")
        desktop = painted = False
        while not (desktop and painted):
            if not desktop and root.get_full_property(managed, X.AnyPropertyType):
                desktop = _say("desktop")
            try:
                seen = not painted and any(map(has_painted, browser_windows(root, X.IsViewable)))
            except error.XError:  # a window went away between two calls
                seen = False
            if seen:
                size = root.get_geometry()
                painted = _say(f"painted {size.width} {size.height}")
            time.sleep(LOOK_EVERY)
    except (error.DisplayError, error.ConnectionClosedError, OSError):
        sys.exit(1)


def _say(line: str) -> bool:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    return True


if __name__ == "__main__":
    main()
