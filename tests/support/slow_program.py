"""A program on a display that is slow to come to its events, as a busy browser is."""

from __future__ import annotations

import ctypes as c
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from transom_guest.x11.events import CLIENT_MESSAGE, MAPPING_NOTIFY, XEvent
from transom_guest.x11.keymap import Keymap
from transom_guest.x11.pings import SUBSTRUCTURE_NOTIFY_MASK
from transom_guest.x11.xlib import Display, declare

KEY_PRESS, KEY_PRESS_MASK, SUBSTRUCTURE_REDIRECT_MASK = 2, 1, 1 << 20
ATOM_WINDOW = 33


class XKeyEvent(c.Structure):
    _fields_ = (
        *(("type", c.c_int), ("serial", c.c_ulong), ("send_event", c.c_int), ("display", c.c_void_p)),
        *(("window", c.c_ulong), ("root", c.c_ulong), ("subwindow", c.c_ulong), ("time", c.c_ulong)),
        *(("place", c.c_int * 4), ("state", c.c_uint), ("keycode", c.c_uint)),
    )


class SlowProgram:
    """One window, which has the focus. What it was given to type is in `text`.

    It reads the keyboard's map when it comes to word of a change, and each key by the map that it has then.
    """

    def __init__(self, name: str, lag: float, stall: float, each: int) -> None:
        """It takes `lag` seconds for an event, and `stall` for one of `each`."""
        self.text, self.running = "", True
        self._lag, self._stall, self._each, self._count = lag, stall, each, 0
        self._display = Display(name)
        x, pointer, root = self._display.x, self._display.pointer, self._display.root
        window = (c.c_void_p, c.c_ulong, *(c.c_int,) * 2, *(c.c_uint,) * 3, *(c.c_ulong,) * 2)
        change = (c.c_void_p, *(c.c_ulong,) * 3, c.c_int, c.c_int, c.c_void_p, c.c_int)
        declare(
            x,
            {
                "XInternAtom": (c.c_ulong, (c.c_void_p, c.c_char_p, c.c_int)),
                "XCreateSimpleWindow": (c.c_ulong, window),
                "XChangeProperty": (c.c_int, change),
                "XSetWMProtocols": (c.c_int, (c.c_void_p, c.c_ulong, c.POINTER(c.c_ulong), c.c_int)),
                "XMapWindow": (c.c_int, (c.c_void_p, c.c_ulong)),
                "XSetInputFocus": (c.c_int, (c.c_void_p, c.c_ulong, c.c_int, c.c_ulong)),
                "XSendEvent": (c.c_int, (c.c_void_p, c.c_ulong, c.c_int, c.c_long, c.POINTER(XEvent))),
            },
        )
        active, ping = (x.XInternAtom(pointer, name, 0) for name in (b"_NET_ACTIVE_WINDOW", b"_NET_WM_PING"))
        self._window = x.XCreateSimpleWindow(pointer, root, 0, 0, 50, 50, 0, 0, 0)
        x.XSelectInput(pointer, self._window, KEY_PRESS_MASK)
        x.XSetWMProtocols(pointer, self._window, (c.c_ulong * 1)(ping), 1)
        x.XChangeProperty(pointer, root, active, ATOM_WINDOW, 32, 0, (c.c_ulong * 1)(self._window), 1)
        x.XMapWindow(pointer, self._window)
        x.XSetInputFocus(pointer, self._window, 0, 0)
        self._display.sync()
        self._map = Keymap(self._display).read()

    def run(self) -> None:
        """Until it is to end."""
        while self.running:
            for event in self._display.some_events(1):
                self._count += 1
                time.sleep(self._lag if self._count % self._each else self._stall)
                self._take(event)
            time.sleep(0.001)
        self._display.close()

    def _take(self, event: XEvent) -> None:
        x = self._display.x
        if event.type == MAPPING_NOTIFY:
            x.XRefreshKeyboardMapping(event)
            self._map = Keymap(self._display).read()
        elif event.type == CLIENT_MESSAGE:
            event.client_message.window = self._display.root
            mask = SUBSTRUCTURE_NOTIFY_MASK | SUBSTRUCTURE_REDIRECT_MASK
            x.XSendEvent(self._display.pointer, self._display.root, 0, mask, c.byref(event))
            self._display.flush()
        elif event.type == KEY_PRESS:
            key = event.seen_as(XKeyEvent)
            symbol = self._map[key.keycode][key.state & 1]
            self.text += "" if 0xFE00 < symbol < 0x01000000 else chr(symbol & 0xFFFFFF)


@contextmanager
def slow_program(name: str, lag: float, stall: float, each: int) -> Iterator[SlowProgram]:
    """It runs while the block does."""
    program = SlowProgram(name, lag, stall, each)
    thread = threading.Thread(target=program.run)
    thread.start()
    try:
        yield program
    finally:
        program.running = False
        thread.join(timeout=10)
