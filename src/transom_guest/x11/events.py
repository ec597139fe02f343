"""The events of X, as Xlib and its extensions lay them out (Xlib.h, Xfixes.h, Xdamage.h)."""

from __future__ import annotations

import ctypes as c
from typing import TypeVar

PROPERTY_NOTIFY, CONFIGURE_NOTIFY = 28, 22
SELECTION_REQUEST, SELECTION_NOTIFY = 30, 31
CLIENT_MESSAGE, MAPPING_NOTIFY = 33, 34
T = TypeVar("T", bound=c.Structure)
_HEAD = (("type", c.c_int), ("serial", c.c_ulong), ("send_event", c.c_int), ("display", c.c_void_p))
"""How each of them begins."""


class XRectangle(c.Structure):
    _fields_ = (("x", c.c_short), ("y", c.c_short), ("width", c.c_ushort), ("height", c.c_ushort))


class XConfigureEvent(c.Structure):
    _fields_ = (
        *_HEAD,
        ("event", c.c_ulong),
        ("window", c.c_ulong),
        ("x", c.c_int),
        ("y", c.c_int),
        ("width", c.c_int),
        ("height", c.c_int),
        ("border_width", c.c_int),
        ("above", c.c_ulong),
        ("override_redirect", c.c_int),
    )


class XClientMessageEvent(c.Structure):
    _fields_ = (
        *_HEAD,
        ("window", c.c_ulong),
        ("message_type", c.c_ulong),
        ("format", c.c_int),
        ("data", c.c_ulong * 5),
    )


class XMappingEvent(c.Structure):
    _fields_ = (
        *_HEAD,
        ("window", c.c_ulong),
        ("request", c.c_int),
        ("first_keycode", c.c_int),
        ("count", c.c_int),
    )


class XPropertyEvent(c.Structure):
    _fields_ = (
        *_HEAD,
        ("window", c.c_ulong),
        ("atom", c.c_ulong),
        ("time", c.c_ulong),
        ("state", c.c_int),
    )


class XSelectionRequestEvent(c.Structure):
    _fields_ = (
        *_HEAD,
        ("owner", c.c_ulong),
        ("requestor", c.c_ulong),
        ("selection", c.c_ulong),
        ("target", c.c_ulong),
        ("property", c.c_ulong),
        ("time", c.c_ulong),
    )


class XSelectionEvent(c.Structure):
    _fields_ = (
        *_HEAD,
        ("requestor", c.c_ulong),
        ("selection", c.c_ulong),
        ("target", c.c_ulong),
        ("property", c.c_ulong),
        ("time", c.c_ulong),
    )


class XFixesSelectionNotifyEvent(c.Structure):
    _fields_ = (
        *_HEAD,
        ("window", c.c_ulong),
        ("subtype", c.c_int),
        ("owner", c.c_ulong),
        ("selection", c.c_ulong),
        ("timestamp", c.c_ulong),
        ("selection_timestamp", c.c_ulong),
    )


class XDamageNotifyEvent(c.Structure):
    _fields_ = (
        *_HEAD,
        ("drawable", c.c_ulong),
        ("damage", c.c_ulong),
        ("level", c.c_int),
        ("more", c.c_int),
        ("timestamp", c.c_ulong),
        ("area", XRectangle),
        ("geometry", XRectangle),
    )


class XEvent(c.Union):
    """Xlib's event union, 24 longs; extensions' events have no name in it."""

    _fields_ = (
        ("type", c.c_int),
        ("configure", XConfigureEvent),
        ("client_message", XClientMessageEvent),
        ("mapping", XMappingEvent),
        ("property", XPropertyEvent),
        ("selection_request", XSelectionRequestEvent),
        ("selection", XSelectionEvent),
        ("pad", c.c_long * 24),
    )

    def seen_as(self, kind: type[T]) -> T:
        """The same bytes as an extension's event; it lives as long as this does."""
        return kind.from_buffer(self)
