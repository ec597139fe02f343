"""Xlib by ctypes: one connection, its events, and an error handler that never ends the process.

A grab larger than the root window during a resize is a BadMatch; Xlib's own handler would exit. Errors
are counted instead, and `Display.errors_since` lets a caller see that its request failed.
"""

from __future__ import annotations

import ctypes as c
import logging
import os
from functools import cache

from transom_guest.x11.events import XEvent

log = logging.getLogger("transom.x11")

STRUCTURE_NOTIFY_MASK = 1 << 17
_QUEUED_ALREADY = 0


class XError(RuntimeError):
    """The X server cannot be reached, or lacks what we need; the text says which."""


class XErrorEvent(c.Structure):
    _fields_ = (
        ("type", c.c_int),
        ("display", c.c_void_p),
        ("resourceid", c.c_ulong),
        ("serial", c.c_ulong),
        ("error_code", c.c_ubyte),
        ("request_code", c.c_ubyte),
        ("minor_code", c.c_ubyte),
    )


_ErrorHandler = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(XErrorEvent))
_IOErrorHandler = c.CFUNCTYPE(c.c_int, c.c_void_p)
_errors: dict[int, int] = {}
"""Display pointer -> errors seen on it."""


def _count_error(display: int, event: c._Pointer[XErrorEvent]) -> int:
    _errors[display] = _errors.get(display, 0) + 1
    error = event.contents
    log.debug("X error %d on request %d.%d", error.error_code, error.request_code, error.minor_code)
    return 0


def _server_gone(_display: int) -> int:
    log.error("the X server is gone")
    os._exit(3)


_handlers = (_ErrorHandler(_count_error), _IOErrorHandler(_server_gone))


@cache
def library(name: str) -> c.CDLL:
    """A shared library of the X family. Raises XError when the image lacks it."""
    try:
        return c.CDLL(name)
    except OSError as error:
        raise XError(f"{name} is missing") from error


@cache
def xlib() -> c.CDLL:
    """libX11 with the signatures used here, and our error handlers."""
    x = library("libX11.so.6")
    signatures: dict[str, tuple[object, tuple[object, ...]]] = {
        "XOpenDisplay": (c.c_void_p, (c.c_char_p,)),
        "XCloseDisplay": (c.c_int, (c.c_void_p,)),
        "XConnectionNumber": (c.c_int, (c.c_void_p,)),
        "XDefaultRootWindow": (c.c_ulong, (c.c_void_p,)),
        "XDefaultScreen": (c.c_int, (c.c_void_p,)),
        "XDefaultVisual": (c.c_void_p, (c.c_void_p, c.c_int)),
        "XDefaultDepth": (c.c_int, (c.c_void_p, c.c_int)),
        "XFlush": (c.c_int, (c.c_void_p,)),
        "XSync": (c.c_int, (c.c_void_p, c.c_int)),
        "XPending": (c.c_int, (c.c_void_p,)),
        "XEventsQueued": (c.c_int, (c.c_void_p, c.c_int)),
        "XNextEvent": (c.c_int, (c.c_void_p, c.POINTER(XEvent))),
        "XSelectInput": (c.c_int, (c.c_void_p, c.c_ulong, c.c_long)),
        "XFree": (c.c_int, (c.c_void_p,)),
        "XRefreshKeyboardMapping": (c.c_int, (c.POINTER(XEvent),)),
        "XGetGeometry": (c.c_int, (c.c_void_p, c.c_ulong, *(c.c_void_p,) * 7)),
        "XQueryKeymap": (c.c_int, (c.c_void_p, c.c_char_p)),
        "XQueryPointer": (c.c_int, (c.c_void_p, c.c_ulong, *(c.c_void_p,) * 7)),
        "XSetErrorHandler": (c.c_void_p, (_ErrorHandler,)),
        "XSetIOErrorHandler": (c.c_void_p, (_IOErrorHandler,)),
    }
    declare(x, signatures)
    x.XSetErrorHandler(_handlers[0])
    x.XSetIOErrorHandler(_handlers[1])
    return x


def declare(lib: c.CDLL, signatures: dict[str, tuple[object, tuple[object, ...]]]) -> None:
    """Give the functions of `lib` their result and argument types."""
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments


class Display:
    """One connection to the X server of DISPLAY. Used from one thread only."""

    def __init__(self, name: str | None = None) -> None:
        """Connect. Raises XError."""
        self.x = xlib()
        self.pointer = self.x.XOpenDisplay(name.encode() if name else None)
        if not self.pointer:
            raise XError("cannot connect to the X server")
        self.screen = self.x.XDefaultScreen(self.pointer)
        self.root = self.x.XDefaultRootWindow(self.pointer)

    def fileno(self) -> int:
        """The connection's descriptor, readable when the server has said something."""
        return int(self.x.XConnectionNumber(self.pointer))

    def flush(self) -> None:
        """Send what is buffered."""
        self.x.XFlush(self.pointer)

    def sync(self) -> None:
        """Wait until the server has done everything asked so far."""
        self.x.XSync(self.pointer, 0)

    def errors(self) -> int:
        """How many requests of this connection have failed so far."""
        return _errors.get(self.pointer, 0)

    def select_structure(self) -> None:
        """Ask for ConfigureNotify of the root window: the desktop's size."""
        self.x.XSelectInput(self.pointer, self.root, STRUCTURE_NOTIFY_MASK)

    def size(self) -> tuple[int, int]:
        """Width and height of the root window now, in pixels. Raises XError."""
        root, position = c.c_ulong(), (c.c_int * 2)()
        values = (c.c_uint * 4)()
        at = [c.byref(values, 4 * index) for index in range(4)]
        where = [c.byref(position, 4 * index) for index in range(2)]
        if not self.x.XGetGeometry(self.pointer, self.root, c.byref(root), *where, *at):
            raise XError("no geometry of the root window")
        return int(values[0]), int(values[1])

    def events(self) -> list[XEvent]:
        """Every event that has arrived, without waiting."""
        return self._next(self.x.XPending(self.pointer))

    def some_events(self, most: int) -> list[XEvent]:
        """Up to `most` events that have arrived, without waiting; the rest are `queued`."""
        return self._next(min(self.x.XPending(self.pointer), most))

    def _next(self, count: int) -> list[XEvent]:
        # asking again would read the socket again, twice for each event of a screen in motion
        found = [XEvent() for _ in range(count)]
        for event in found:
            self.x.XNextEvent(self.pointer, c.byref(event))
        return found

    def queued(self) -> bool:
        """True when Xlib has read events that `events` has not returned; asks the server nothing."""
        return bool(self.x.XEventsQueued(self.pointer, _QUEUED_ALREADY))

    def extension(self, lib: c.CDLL, query: str) -> int:
        """The first event number of an extension, by its `X...QueryExtension`. Raises XError."""
        first, error = c.c_int(), c.c_int()
        function = getattr(lib, query)
        function.restype = c.c_int
        function.argtypes = (c.c_void_p, c.c_void_p, c.c_void_p)
        if not function(self.pointer, c.byref(first), c.byref(error)):
            raise XError(f"the X server lacks an extension: {query}")
        return first.value

    def close(self) -> None:
        """Close the connection. Idempotent."""
        if self.pointer:
            self.x.XCloseDisplay(self.pointer)
            _errors.pop(self.pointer, None)
            self.pointer = None
