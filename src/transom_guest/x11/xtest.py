"""XTEST: keys, buttons and moves as if a person made them."""

from __future__ import annotations

import ctypes as c
from functools import cache

from transom_guest.x11.xlib import Display, XError, declare, library, xlib


@cache
def _xtst() -> c.CDLL:
    lib = library("libXtst.so.6")
    declare(
        lib,
        {
            "XTestQueryExtension": (c.c_int, (c.c_void_p, *(c.c_void_p,) * 4)),
            "XTestFakeKeyEvent": (c.c_int, (c.c_void_p, c.c_uint, c.c_int, c.c_ulong)),
            "XTestFakeButtonEvent": (c.c_int, (c.c_void_p, c.c_uint, c.c_int, c.c_ulong)),
            "XTestFakeRelativeMotionEvent": (c.c_int, (c.c_void_p, c.c_int, c.c_int, c.c_ulong)),
            "XTestFakeMotionEvent": (c.c_int, (c.c_void_p, c.c_int, c.c_int, c.c_int, c.c_ulong)),
        },
    )
    return lib


class FakeInput:
    """Fakes input on one display. Nothing is sent before `flush`."""

    def __init__(self, display: Display) -> None:
        """Raises XError when the server lacks XTEST."""
        self._display, self._lib = display, _xtst()
        numbers = (c.c_int * 4)()
        at = [c.byref(numbers, 4 * index) for index in range(4)]
        if not self._lib.XTestQueryExtension(display.pointer, *at):
            raise XError("the X server lacks XTEST")

    def key(self, keycode: int, down: bool) -> None:
        """Press or release a key."""
        self._lib.XTestFakeKeyEvent(self._display.pointer, keycode, down, 0)

    def button(self, button: int, down: bool) -> None:
        """Press or release a pointer button."""
        self._lib.XTestFakeButtonEvent(self._display.pointer, button, down, 0)

    def move(self, x: int, y: int) -> None:
        """Put the pointer at (x, y) of the root window; the server clips."""
        self._lib.XTestFakeMotionEvent(self._display.pointer, self._display.screen, x, y, 0)

    def nudge(self, dx: int, dy: int) -> None:
        """Move the pointer by so many pixels, as a mouse does; the server clips."""
        self._lib.XTestFakeRelativeMotionEvent(self._display.pointer, dx, dy, 0)

    def release_all(self) -> int:
        """Let go of every key and button that is down; how many. A process that died left them so."""
        keys = c.create_string_buffer(32)
        xlib().XQueryKeymap(self._display.pointer, keys)
        held = [code for code in range(8, 256) if keys.raw[code // 8] >> code % 8 & 1]
        for code in held:
            self.key(code, False)
        windows, places, mask = [c.c_ulong(), c.c_ulong()], [c.c_int() for _ in range(4)], c.c_uint()
        at = [c.byref(each) for each in (*windows, *places, mask)]
        xlib().XQueryPointer(self._display.pointer, self._display.root, *at)
        buttons = [number for number in range(1, 6) if mask.value >> (7 + number) & 1]
        for number in buttons:
            self.button(number, False)
        self.flush()
        return len(held) + len(buttons)

    def flush(self) -> None:
        """Send what was faked."""
        self._display.flush()
