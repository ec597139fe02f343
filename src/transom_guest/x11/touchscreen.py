"""The desktop's touch screen: Xorg's driver `inputtest`, fed over a socket (inputtestdrv(4), protocol 1.1).

It is off unless somebody with fingers drives, and then the display's mouse is off instead: programs ask the
display what there is, and a page made for fingers is a nuisance to a mouse. Each connection to the driver ends
when the device is turned off, and only then: to a connection whose other end is gone it listens in vain for ever.
"""

from __future__ import annotations

import ctypes as c
import logging
import socket
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

from transom_guest.x11.xlib import Display, XError, declare, library, xlib
from transom_guest.x11.xtest import devices

TOUCH, MOUSE = "transom touch", "transom mouse"
"""The devices' names, in the display's configuration and on the display."""
FULL = 65535
"""An axis of the touch screen goes from 0 to this."""
DEADLINE = 0.5
"""Seconds for the driver to answer, and to take what it is told."""
HELLO = struct.pack("=IIHH", 12, 0, 1, 1)
EVENT = struct.Struct("=IIII IQ4x 2d 1008x")
"""Length, kind, contact, phase; which axes follow, 64 of them; and 64 more for those not accelerated."""
TOUCH_EVENT, X_AND_Y = 6, 3
BEGIN, UPDATE, END = 18, 19, 20
"""XI_TouchBegin and its like (X11/extensions/XI2.h)."""
_XA_INTEGER, _REPLACE = 19, 0
log = logging.getLogger("transom.input")


@cache
def _xi() -> c.CDLL:
    lib = library("libXi.so.6")
    arguments = (c.c_void_p, c.c_int, c.c_ulong, c.c_ulong, c.c_int, c.c_int, c.c_char_p, c.c_int)
    declare(lib, {"XIChangeProperty": (None, arguments)})
    declare(xlib(), {"XInternAtom": (c.c_ulong, (c.c_void_p, c.c_char_p, c.c_int))})
    return lib


def event(phase: int, contact: int, x: float = 0.0, y: float = 0.0, *, placed: bool = True) -> bytes:
    """One event of the driver's protocol; `x` and `y` are shares of the screen."""
    return EVENT.pack(
        EVENT.size, TOUCH_EVENT, contact, phase, 0, X_AND_Y if placed else 0, x * FULL, y * FULL
    )


def of(display: Display, path: Path, size: Callable[[], tuple[int, int]]) -> TouchScreen | None:
    """The touch screen of a display, off; None where it has none."""
    try:
        return TouchScreen(display, path, size)
    except XError:
        return None


class TouchScreen:
    """One display's, off at first. No call raises: a finger that does not arrive is no reason to end."""

    def __init__(self, display: Display, path: Path, size: Callable[[], tuple[int, int]]) -> None:
        """Its driver listens at `path`; `size` tells the desktop's, in pixels. Raises XError where there is none."""
        found = devices(display)
        if TOUCH not in found:
            raise XError("the display has no touch screen")
        self._display, self._path, self._size = display, path, size
        self._touch, self._mouse = found[TOUCH], found.get(MOUSE)
        self._driver: socket.socket | None = None
        # a process that died left it on, with a driver that listens to nobody
        self.turn(False)

    def turn(self, on: bool) -> None:
        """Let programs see a touch screen, or a mouse."""
        if self._driver is not None:
            self._driver.close()
            self._driver = None
        self._enable(self._touch, False)
        if self._mouse is not None:
            self._enable(self._mouse, not on)
        if on:
            self._enable(self._touch, True)
            self._display.sync()
            self._connect()
        else:
            self._display.sync()

    def down(self, contact: int, x: int, y: int) -> None:
        """A finger touches at (x, y) of the desktop."""
        self._tell(event(BEGIN, contact, *self._share(x, y)))

    def move(self, contact: int, x: int, y: int) -> None:
        """It is at (x, y) now."""
        self._tell(event(UPDATE, contact, *self._share(x, y)))

    def up(self, contact: int) -> None:
        """It is gone."""
        self._tell(event(END, contact, placed=False))

    def _share(self, x: int, y: int) -> tuple[float, float]:
        width, height = self._size()
        return min(x / max(width, 1), 1.0), min(y / max(height, 1), 1.0)

    def _enable(self, device: int, on: bool) -> None:
        atom = xlib().XInternAtom(self._display.pointer, b"Device Enabled", 0)
        value = bytes([on])
        _xi().XIChangeProperty(self._display.pointer, device, atom, _XA_INTEGER, 8, _REPLACE, value, 1)

    def _connect(self) -> None:
        driver = socket.socket(socket.AF_UNIX)
        driver.settimeout(DEADLINE)
        try:
            driver.connect(str(self._path))
            driver.sendall(HELLO)
            if len(driver.recv(len(HELLO))) < len(HELLO):
                raise OSError("no version")
        except OSError as error:
            log.warning("the touch screen does not answer: %s", error)
            driver.close()
            self._enable(self._touch, False)
            self._display.flush()
            return
        self._driver = driver

    def _tell(self, what: bytes) -> None:
        if self._driver is None:
            return
        try:
            self._driver.sendall(what)
        except OSError as error:
            log.warning("the touch screen takes nothing: it is turned off and on (%s)", error)
            self.turn(True)
