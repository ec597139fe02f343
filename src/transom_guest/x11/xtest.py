"""XTEST: keys, buttons and moves as if a person made them.

Keys are pressed on the VNC server's own keyboard, where it has one. That one is not repeated by the server, which
would take a release that comes late over a network for a key that is held: who holds it says when it repeats.
"""

from __future__ import annotations

import ctypes as c
from functools import cache

from transom_guest.x11.xlib import Display, XError, declare, library, xlib

VNC_KEYBOARD = "TigerVNC keyboard"


@cache
def _xtst() -> c.CDLL:
    lib = library("libXtst.so.6")
    declare(
        lib,
        {
            "XTestQueryExtension": (c.c_int, (c.c_void_p, *(c.c_void_p,) * 4)),
            "XTestFakeKeyEvent": (c.c_int, (c.c_void_p, c.c_uint, c.c_int, c.c_ulong)),
            "XTestFakeDeviceKeyEvent": (
                c.c_int,
                (c.c_void_p, c.c_void_p, c.c_uint, c.c_int, c.c_void_p, c.c_int, c.c_ulong),
            ),
            "XTestFakeButtonEvent": (c.c_int, (c.c_void_p, c.c_uint, c.c_int, c.c_ulong)),
            "XTestFakeRelativeMotionEvent": (c.c_int, (c.c_void_p, c.c_int, c.c_int, c.c_ulong)),
            "XTestFakeMotionEvent": (c.c_int, (c.c_void_p, c.c_int, c.c_int, c.c_int, c.c_ulong)),
        },
    )
    return lib


@cache
def _xi() -> c.CDLL:
    lib = library("libXi.so.6")
    declare(
        lib,
        {
            "XListInputDevices": (c.POINTER(_DeviceInfo), (c.c_void_p, c.POINTER(c.c_int))),
            "XFreeDeviceList": (None, (c.c_void_p,)),
        },
    )
    return lib


class _DeviceInfo(c.Structure):
    """XDeviceInfo of X11/extensions/XInput.h."""

    _fields_ = (
        ("id", c.c_ulong),
        ("type", c.c_ulong),
        ("name", c.c_char_p),
        ("classes", c.c_int),
        ("use", c.c_int),
        ("info", c.c_void_p),
    )


class _Device(c.Structure):
    """XDevice of X11/extensions/XInput.h."""

    _fields_ = (("id", c.c_ulong), ("classes", c.c_int), ("info", c.c_void_p))


def devices(display: Display) -> dict[str, int]:
    """Number of each input device by its name, those that are off too; none where there is no libXi to ask by."""
    try:
        lib = _xi()
    except XError:
        return {}
    count = c.c_int()
    found = lib.XListInputDevices(display.pointer, c.byref(count))
    numbers = {one.name.decode(errors="replace"): int(one.id) for one in found[: count.value] if one.name}
    if found:
        lib.XFreeDeviceList(found)
    return numbers


def _vnc_keyboard(display: Display) -> _Device | None:
    """The VNC server's own keyboard; None: there is none."""
    number = devices(display).get(VNC_KEYBOARD)
    return None if number is None else _Device(number, 0, None)


class FakeInput:
    """Fakes input on one display. Nothing is sent before `flush`."""

    def __init__(self, display: Display) -> None:
        """Raises XError when the server lacks XTEST."""
        self._display, self._lib = display, _xtst()
        numbers = (c.c_int * 4)()
        at = [c.byref(numbers, 4 * index) for index in range(4)]
        if not self._lib.XTestQueryExtension(display.pointer, *at):
            raise XError("the X server lacks XTEST")
        self._keyboard = _vnc_keyboard(display)

    def key(self, keycode: int, down: bool) -> None:
        """Press or release a key. Of the VNC server's keyboard one that is down already repeats once."""
        if self._keyboard is None:
            self._lib.XTestFakeKeyEvent(self._display.pointer, keycode, down, 0)
            return
        device = c.byref(self._keyboard)
        self._lib.XTestFakeDeviceKeyEvent(self._display.pointer, device, keycode, down, None, 0, 0)

    def button(self, button: int, down: bool) -> None:
        """Press or release a pointer button."""
        self._lib.XTestFakeButtonEvent(self._display.pointer, button, down, 0)

    def move(self, x: int, y: int) -> None:
        """Put the pointer at (x, y) of the root window; the server clips."""
        self._lib.XTestFakeMotionEvent(self._display.pointer, self._display.screen, x, y, 0)

    def nudge(self, dx: int, dy: int) -> None:
        """Move the pointer by so many pixels, as a mouse does; the server clips."""
        self._lib.XTestFakeRelativeMotionEvent(self._display.pointer, dx, dy, 0)

    def keys_down(self) -> list[int]:
        """The keycodes that are down, whoever pressed them."""
        keys = c.create_string_buffer(32)
        xlib().XQueryKeymap(self._display.pointer, keys)
        return [code for code in range(8, 256) if keys.raw[code // 8] >> code % 8 & 1]

    def release_all(self) -> int:
        """Let go of every key and button that is down; how many. A process that died left them so."""
        held = self.keys_down()
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
