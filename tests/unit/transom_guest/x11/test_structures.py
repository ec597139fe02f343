"""ctypes structures against the sizes and offsets of Xlib's headers on 64-bit Linux."""

import ctypes as c

import pytest

from transom_guest.x11.events import (
    XConfigureEvent,
    XDamageNotifyEvent,
    XEvent,
    XFixesSelectionNotifyEvent,
    XMappingEvent,
    XPropertyEvent,
    XRectangle,
    XSelectionEvent,
    XSelectionRequestEvent,
)
from transom_guest.x11.shm import XImage, XShmSegmentInfo
from transom_guest.x11.xlib import XErrorEvent


@pytest.mark.parametrize(
    ("structure", "size"),
    [
        (XEvent, 192),
        (XErrorEvent, 40),
        (XRectangle, 8),
        (XConfigureEvent, 88),
        (XMappingEvent, 56),
        (XShmSegmentInfo, 32),
        (XDamageNotifyEvent, 80),
        (XPropertyEvent, 64),
        (XSelectionRequestEvent, 80),
        (XSelectionEvent, 72),
        (XFixesSelectionNotifyEvent, 80),
    ],
)
def test_sizes(structure, size):
    assert c.sizeof(structure) == size


@pytest.mark.parametrize(
    ("structure", "name", "offset"),
    [
        (XConfigureEvent, "window", 40),
        (XConfigureEvent, "width", 56),
        (XMappingEvent, "first_keycode", 44),
        (XImage, "data", 16),
        (XImage, "bytes_per_line", 44),
        (XImage, "bits_per_pixel", 48),
        (XDamageNotifyEvent, "area", 64),
        (XPropertyEvent, "state", 56),
        (XSelectionRequestEvent, "property", 64),
        (XSelectionEvent, "time", 64),
        (XFixesSelectionNotifyEvent, "owner", 48),
    ],
)
def test_offsets(structure, name, offset):
    assert getattr(structure, name).offset == offset


def test_events_are_read_through_the_union():
    event = XEvent()
    event.type = 22
    event.configure.width = 1280
    assert event.seen_as(XConfigureEvent).width == 1280
