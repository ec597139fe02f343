"""Selections and window properties (ICCCM, chapter 2), and word of a selection's new owner (XFixes)."""

from __future__ import annotations

import ctypes as c
from dataclasses import dataclass
from functools import cache

from transom_guest.x11.events import (
    PROPERTY_NOTIFY,
    SELECTION_NOTIFY,
    SELECTION_REQUEST,
    XEvent,
    XFixesSelectionNotifyEvent,
    XPropertyEvent,
)
from transom_guest.x11.xlib import Display, XError, declare, library, xlib

ATOM, STRING = 4, 31
"""Predefined atoms (X protocol, appendix D)."""
_PROPERTY_CHANGE_MASK = 1 << 22
_SET_OWNER_MASK = 1
_REPLACE = 0
_CURRENT_TIME = 0


@dataclass(frozen=True, slots=True)
class Property:
    """A property's type, and its bytes; for format 32 four bytes each, in the machine's order."""

    type: int
    data: bytes
    rest: int
    """Bytes that were not read."""


@dataclass(frozen=True, slots=True)
class Owned:
    """Somebody owns the selection now."""

    window: int


@dataclass(frozen=True, slots=True)
class Answered:
    """An owner has answered our request; `property` is 0 where it would not."""

    property: int


@dataclass(frozen=True, slots=True)
class Written:
    """A property of ours has a new value."""

    property: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A property of somebody else's window was deleted: it has read it."""

    window: int
    property: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody wants our selection as `target` in `property` of its window."""

    requestor: int
    target: int
    property: int
    time: int


News = Owned | Answered | Written | Taken | Asked


@cache
def _lib() -> tuple[c.CDLL, c.CDLL]:
    x, fixes = xlib(), library("libXfixes.so.3")
    get = (
        *(c.c_void_p, c.c_ulong, c.c_ulong, c.c_long, c.c_long, c.c_int, c.c_ulong),
        *(c.POINTER(c.c_ulong), c.POINTER(c.c_int), c.POINTER(c.c_ulong), c.POINTER(c.c_ulong)),
        c.POINTER(c.c_void_p),
    )
    window = (c.c_void_p, c.c_ulong, *(c.c_int,) * 2, *(c.c_uint,) * 3, *(c.c_ulong,) * 2)
    change = (c.c_void_p, *(c.c_ulong,) * 3, c.c_int, c.c_int, c.c_char_p, c.c_int)
    declare(
        x,
        {
            "XInternAtom": (c.c_ulong, (c.c_void_p, c.c_char_p, c.c_int)),
            "XCreateSimpleWindow": (c.c_ulong, window),
            "XConvertSelection": (c.c_int, (c.c_void_p, *(c.c_ulong,) * 5)),
            "XSetSelectionOwner": (c.c_int, (c.c_void_p, *(c.c_ulong,) * 3)),
            "XGetWindowProperty": (c.c_int, get),
            "XDeleteProperty": (c.c_int, (c.c_void_p, c.c_ulong, c.c_ulong)),
            "XChangeProperty": (c.c_int, change),
            "XSendEvent": (c.c_int, (c.c_void_p, c.c_ulong, c.c_int, c.c_long, c.POINTER(XEvent))),
        },
    )
    declare(fixes, {"XFixesSelectSelectionInput": (None, (c.c_void_p, *(c.c_ulong,) * 3))})
    return x, fixes


class Selection:
    """One selection of one display, seen from a window of our own. Used from one thread only."""

    def __init__(self, display: Display, name: str) -> None:
        """Raises XError when the server lacks XFIXES."""
        self._display = display
        self._x, fixes = _lib()
        self._fixes_event = display.extension(fixes, "XFixesQueryExtension")
        self.name = self.atom(name)
        self.window = int(self._x.XCreateSimpleWindow(display.pointer, display.root, -9, -9, 1, 1, 0, 0, 0))
        if not self.window:
            raise XError("no window for selections")
        self._x.XSelectInput(display.pointer, self.window, _PROPERTY_CHANGE_MASK)
        fixes.XFixesSelectSelectionInput(display.pointer, self.window, self.name, _SET_OWNER_MASK)
        display.flush()

    def atom(self, name: str) -> int:
        """The number of a name."""
        return int(self._x.XInternAtom(self._display.pointer, name.encode(), 0))

    def convert(self, target: int, property: int) -> None:
        """Ask the owner for the selection as `target` in a property of ours; Answered follows, or nothing."""
        self.delete(property)
        self._x.XConvertSelection(
            self._display.pointer, self.name, target, property, self.window, _CURRENT_TIME
        )
        self._display.flush()

    def take(self, property: int, limit: int) -> Property | None:
        """Read up to `limit` bytes of a property of ours and delete it; None when there is none."""
        kind, form = c.c_ulong(), c.c_int()
        count, rest, found = c.c_ulong(), c.c_ulong(), c.c_void_p()
        status = self._x.XGetWindowProperty(
            *(self._display.pointer, self.window, property, 0, (limit + 3) // 4, 0, 0),
            *(c.byref(kind), c.byref(form), c.byref(count), c.byref(rest), c.byref(found)),
        )
        if status or not found:
            return None
        try:
            data = _bytes(found, form.value, count.value)
        finally:
            self._x.XFree(found)
        self.delete(property)
        return Property(kind.value, data, rest.value) if kind.value else None

    def delete(self, property: int) -> None:
        """Delete a property of ours: for INCR, the word to go on."""
        self._x.XDeleteProperty(self._display.pointer, self.window, property)
        self._display.flush()

    def own(self) -> None:
        """Own the selection: Owned follows with our window."""
        self._x.XSetSelectionOwner(self._display.pointer, self.name, self.window, _CURRENT_TIME)
        self._display.flush()

    def give(self, window: int, property: int, type: int, form: int, data: bytes) -> None:
        """Write a property of somebody's window; `form` is 8 or 32 (then `data` is of longs)."""
        size = 1 if form == 8 else c.sizeof(c.c_long)
        self._x.XChangeProperty(
            self._display.pointer, window, property, type, form, _REPLACE, data, len(data) // size
        )

    def heed(self, window: int, on: bool) -> None:
        """Have the properties of somebody's window watched, or no more."""
        self._x.XSelectInput(self._display.pointer, window, _PROPERTY_CHANGE_MASK if on else 0)

    def answer(self, asked: Asked, property: int) -> None:
        """Tell a requestor that its property is written; 0: refused."""
        event = XEvent()
        answer = event.selection
        answer.type, answer.requestor, answer.selection = SELECTION_NOTIFY, asked.requestor, self.name
        answer.target, answer.property, answer.time = asked.target, property, asked.time
        self._x.XSendEvent(self._display.pointer, asked.requestor, 0, 0, c.byref(event))
        self._display.flush()

    def news(self, event: XEvent) -> News | None:
        """What an event of the display says; None: nothing of ours."""
        match int(event.type):
            case kind if kind == PROPERTY_NOTIFY:
                return self._property(event.property)
            case kind if kind == SELECTION_REQUEST:
                asked = event.selection_request
                if asked.selection != self.name:
                    return None
                # an old client gives no property and means the target's name (ICCCM 2.2)
                return Asked(asked.requestor, asked.target, asked.property or asked.target, asked.time)
            case kind if kind == SELECTION_NOTIFY:
                answered = event.selection
                return Answered(answered.property) if answered.selection == self.name else None
            case kind if kind == self._fixes_event:
                owned = event.seen_as(XFixesSelectionNotifyEvent)
                return Owned(owned.owner) if owned.selection == self.name else None
        return None

    def _property(self, event: XPropertyEvent) -> News | None:
        deleted = event.state == 1
        if event.window == self.window:
            return None if deleted else Written(event.atom)
        return Taken(event.window, event.atom) if deleted else None


def _bytes(found: c.c_void_p, form: int, count: int) -> bytes:
    """Xlib gives format 32 as longs, 16 as shorts."""
    if form != 32:
        return c.string_at(found, count * (form // 8))
    longs = c.cast(found, c.POINTER(c.c_ulong))[:count]
    return b"".join((value & 0xFFFFFFFF).to_bytes(4, "little") for value in longs)
