"""Whether the program with the focus has come to an event: it is asked as window managers ask (EWMH, _NET_WM_PING).

A program reads its events in order: what it was told before the question, it has taken in when it answers.
"""

from __future__ import annotations

import ctypes as c
from functools import cache

from transom_guest.x11.events import CLIENT_MESSAGE, XEvent
from transom_guest.x11.xlib import Display, declare, xlib

SUBSTRUCTURE_NOTIFY_MASK = 1 << 19
"""Of the root window: answers are sent to it."""
FIRST, LAST = 0x54000000, 0x54FFFFFF
"""Our questions by their numbers, which a window manager's own, time stamps or counted from 1, are not."""
_WINDOW = 33
"""The type of a property that is a window (X protocol, appendix D)."""


@cache
def _lib() -> c.CDLL:
    lib = xlib()
    get = (
        *(c.c_void_p, c.c_ulong, c.c_ulong, c.c_long, c.c_long, c.c_int, c.c_ulong),
        *(c.POINTER(c.c_ulong), c.POINTER(c.c_int), c.POINTER(c.c_ulong), c.POINTER(c.c_ulong)),
        c.POINTER(c.c_void_p),
    )
    protocols = (c.c_void_p, c.c_ulong, c.POINTER(c.POINTER(c.c_ulong)), c.POINTER(c.c_int))
    declare(
        lib,
        {
            "XInternAtom": (c.c_ulong, (c.c_void_p, c.c_char_p, c.c_int)),
            "XGetWindowProperty": (c.c_int, get),
            "XGetWMProtocols": (c.c_int, protocols),
            "XSendEvent": (c.c_int, (c.c_void_p, c.c_ulong, c.c_int, c.c_long, c.POINTER(XEvent))),
        },
    )
    return lib


class Pings:
    """Questions on one display, each by a number of its own."""

    def __init__(self, display: Display) -> None:
        """The display tells of the root window's children from now on."""
        self._display, self._lib = display, _lib()
        self._active, self._protocols, self._ping = (
            self._lib.XInternAtom(display.pointer, name, 0)
            for name in (b"_NET_ACTIVE_WINDOW", b"WM_PROTOCOLS", b"_NET_WM_PING")
        )
        self._number = FIRST
        display.x.XSelectInput(display.pointer, display.root, SUBSTRUCTURE_NOTIFY_MASK)

    def window(self) -> int | None:
        """The window that is active, where it answers such questions."""
        window = self._active_window()
        return window if window and self._answers(window) else None

    def ask(self, window: int) -> int:
        """Send a question; its number."""
        self._number = self._number + 1 if self._number < LAST else FIRST
        event = XEvent()
        told = event.client_message
        told.type, told.window, told.message_type, told.format = CLIENT_MESSAGE, window, self._protocols, 32
        told.data[:3] = (self._ping, self._number, window)
        self._lib.XSendEvent(self._display.pointer, window, 0, 0, c.byref(event))
        self._display.flush()
        return self._number

    def answered(self, event: XEvent) -> int | None:
        """The number of the question that this event answers; anybody may send such."""
        if event.type != CLIENT_MESSAGE:
            return None
        told = event.client_message
        ours = told.window == self._display.root and told.message_type == self._protocols
        if not ours or told.format != 32 or told.data[0] != self._ping:
            return None
        number = int(told.data[1])
        return number if FIRST <= number <= LAST else None

    def _active_window(self) -> int:
        kind, form, count, rest = c.c_ulong(), c.c_int(), c.c_ulong(), c.c_ulong()
        data = c.c_void_p()
        where = (self._display.pointer, self._display.root, self._active, 0, 1, 0, _WINDOW)
        found = [c.byref(each) for each in (kind, form, count, rest, data)]
        self._lib.XGetWindowProperty(*where, *found)
        if not data.value:
            return 0
        # Xlib gives items of 32 bits as longs
        value = c.c_ulong.from_address(data.value).value if form.value == 32 and count.value else 0
        self._display.x.XFree(data)
        return int(value)

    def _answers(self, window: int) -> bool:
        found, count = c.POINTER(c.c_ulong)(), c.c_int()
        if not self._lib.XGetWMProtocols(self._display.pointer, window, c.byref(found), c.byref(count)):
            return False
        answers = self._ping in found[: count.value]
        self._display.x.XFree(found)
        return answers
