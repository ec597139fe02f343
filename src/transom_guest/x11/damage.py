"""XDamage on the root window: which rows changed."""

from __future__ import annotations

import ctypes as c
from functools import cache

from transom_guest.x11.events import XDamageNotifyEvent, XEvent
from transom_guest.x11.xlib import Display, declare, library

_REPORT_BOUNDING_BOX = 2


@cache
def _xdamage() -> c.CDLL:
    lib = library("libXdamage.so.1")
    declare(
        lib,
        {
            "XDamageCreate": (c.c_ulong, (c.c_void_p, c.c_ulong, c.c_int)),
            "XDamageDestroy": (None, (c.c_void_p, c.c_ulong)),
            "XDamageSubtract": (None, (c.c_void_p, c.c_ulong, c.c_ulong, c.c_ulong)),
        },
    )
    return lib


class Damage:
    """Watches the root window while it is on.

    The server reports a growing bounding box and says nothing more while damage stays inside it;
    `forget` empties the box. Call it before reading pixels: what changes after it is reported again.
    """

    def __init__(self, display: Display) -> None:
        """Raises XError when the server lacks DAMAGE."""
        self._display, self._lib = display, _xdamage()
        self._event = display.extension(self._lib, "XDamageQueryExtension")
        self._damage = 0

    def start(self) -> None:
        """Begin to watch. Idempotent."""
        if not self._damage:
            self._damage = self._lib.XDamageCreate(
                self._display.pointer, self._display.root, _REPORT_BOUNDING_BOX
            )
            self._display.flush()

    def stop(self) -> None:
        """Stop: with nobody watching, the server reports nothing. Idempotent."""
        if self._damage:
            self._lib.XDamageDestroy(self._display.pointer, self._damage)
            self._display.flush()
            self._damage = 0

    def rows(self, event: XEvent) -> tuple[int, int] | None:
        """First row and the row after the last that `event` reports as damaged; None for other events."""
        if event.type != self._event:
            return None
        area = event.seen_as(XDamageNotifyEvent).area
        return area.y, area.y + area.height

    def forget(self) -> None:
        """Empty the bounding box."""
        if self._damage:
            self._lib.XDamageSubtract(self._display.pointer, self._damage, 0, 0)
