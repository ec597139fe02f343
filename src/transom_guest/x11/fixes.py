"""XFixes: the pointer's shape, and word of its changes."""

from __future__ import annotations

import ctypes as c
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from transom_guest.x11.events import XEvent
from transom_guest.x11.xlib import Display, declare, library

_DISPLAY_CURSOR_NOTIFY_MASK = 1
MAX_CURSOR_SIDE = 128
"""Pixels; of a larger pointer every second one is taken, or third: browsers show none past this."""


class Pixels(Protocol):
    """Row by row from the top."""

    def __getitem__(self, at: int, /) -> int: ...


class _XFixesCursorImage(c.Structure):
    _fields_ = (
        ("x", c.c_short),
        ("y", c.c_short),
        ("width", c.c_ushort),
        ("height", c.c_ushort),
        ("xhot", c.c_ushort),
        ("yhot", c.c_ushort),
        ("cursor_serial", c.c_ulong),
        ("pixels", c.POINTER(c.c_ulong)),
        ("atom", c.c_ulong),
        ("name", c.c_char_p),
    )


@dataclass(frozen=True, slots=True)
class CursorImage:
    """A pointer: `argb` has one premultiplied 0xAARRGGBB per pixel, row by row from the top."""

    width: int
    height: int
    hot_x: int
    hot_y: int
    argb: tuple[int, ...]


@cache
def _xfixes() -> c.CDLL:
    lib = library("libXfixes.so.3")
    declare(
        lib,
        {
            "XFixesSelectCursorInput": (None, (c.c_void_p, c.c_ulong, c.c_ulong)),
            "XFixesGetCursorImage": (c.POINTER(_XFixesCursorImage), (c.c_void_p,)),
        },
    )
    return lib


def thinned(width: int, height: int, hot_x: int, hot_y: int, pixels: Pixels) -> CursorImage:
    """The shape with each nth pixel, so that no side is longer than MAX_CURSOR_SIDE. Of `pixels` 32 bits count: the
    server's arrive in longs."""
    step = -(-max(width, height) // MAX_CURSOR_SIDE)
    rows, columns = range(0, height, step), range(0, width, step)
    argb = tuple(pixels[y * width + x] & 0xFFFFFFFF for y in rows for x in columns)
    return CursorImage(len(columns), len(rows), hot_x // step, hot_y // step, argb)


class Cursor:
    """The pointer's shape on one display."""

    def __init__(self, display: Display) -> None:
        """Raises XError when the server lacks XFIXES."""
        self._display, self._lib = display, _xfixes()
        self._event = display.extension(self._lib, "XFixesQueryExtension") + 1

    def watch(self, on: bool) -> None:
        """Have every change of shape reported, or none."""
        mask = _DISPLAY_CURSOR_NOTIFY_MASK if on else 0
        self._lib.XFixesSelectCursorInput(self._display.pointer, self._display.root, mask)
        self._display.flush()

    def changed(self, event: XEvent) -> bool:
        """True when `event` says that the shape changed."""
        return bool(event.type == self._event)

    def image(self) -> CursorImage | None:
        """The shape now; None when there is none."""
        found = self._lib.XFixesGetCursorImage(self._display.pointer)
        if not found:
            return None
        try:
            raw = found.contents
            if not (raw.width and raw.height):
                return None
            return thinned(raw.width, raw.height, raw.xhot, raw.yhot, raw.pixels)
        finally:
            self._display.x.XFree(c.cast(found, c.c_void_p))
