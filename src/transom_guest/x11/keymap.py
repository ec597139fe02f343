"""The server's keyboard map: which keysym each key gives with which modifiers, and changes to it."""

from __future__ import annotations

import ctypes as c
from collections.abc import Mapping
from functools import cache

from transom_guest.x11.xlib import Display, declare, xlib

SHIFT_MASK, LEVEL3_MASK = 1 << 0, 1 << 7
"""Shift and Mod5, where XKB's layouts put ISO_Level3_Shift."""
MODIFIER_SETS = (0, SHIFT_MASK, LEVEL3_MASK, SHIFT_MASK | LEVEL3_MASK)
_USE_CORE_KEYBOARD = 0x100
_GROUP_SHIFT = 13


class _XkbState(c.Structure):
    _fields_ = (
        ("group", c.c_ubyte),
        ("locked_group", c.c_ubyte),
        ("base_group", c.c_ushort),
        ("latched_group", c.c_ushort),
        ("mods", c.c_ubyte),
        ("base_mods", c.c_ubyte),
        ("latched_mods", c.c_ubyte),
        ("locked_mods", c.c_ubyte),
        ("rest", c.c_ubyte * 8),
    )


@cache
def _xkb() -> c.CDLL:
    lib = xlib()
    lookup = (c.c_void_p, c.c_ubyte, c.c_uint, c.POINTER(c.c_uint), c.POINTER(c.c_ulong))
    declare(
        lib,
        {
            "XDisplayKeycodes": (c.c_int, (c.c_void_p, c.POINTER(c.c_int), c.POINTER(c.c_int))),
            "XkbLookupKeySym": (c.c_int, lookup),
            "XkbGetState": (c.c_int, (c.c_void_p, c.c_uint, c.POINTER(_XkbState))),
            "XkbLockModifiers": (c.c_int, (c.c_void_p, c.c_uint, c.c_uint, c.c_uint)),
            "XChangeKeyboardMapping": (
                c.c_int,
                (c.c_void_p, c.c_int, c.c_int, c.POINTER(c.c_ulong), c.c_int),
            ),
        },
    )
    return lib


class Keymap:
    """Reads and changes the keyboard map of one display."""

    def __init__(self, display: Display) -> None:
        self._display, self._lib = display, _xkb()
        low, high = c.c_int(), c.c_int()
        self._lib.XDisplayKeycodes(display.pointer, c.byref(low), c.byref(high))
        self.low, self.high = low.value, high.value

    def read(self) -> dict[int, tuple[int, ...]]:
        """Keycode -> the keysym it gives with each of MODIFIER_SETS, in the group that is on now; 0: none."""
        group = self._state().group << _GROUP_SHIFT
        return {
            keycode: tuple(self._lookup(keycode, mods | group) for mods in MODIFIER_SETS)
            for keycode in range(self.low, self.high + 1)
        }

    def unlock(self, mask: int) -> None:
        """Switch locks (Caps Lock and the like) off: keysyms carry their own case."""
        self._lib.XkbLockModifiers(self._display.pointer, _USE_CORE_KEYBOARD, mask, 0)

    def bind(self, symbols: Mapping[int, tuple[int, int]]) -> None:
        """Give each keycode its keysyms, plain and with Shift, and wait until the server has done so.

        Keys in a row are one request: each makes every program read the map anew.
        """
        for first, pairs in runs(symbols):
            flat = [keysym for pair in pairs for keysym in pair]
            array = (c.c_ulong * len(flat))(*flat)
            self._lib.XChangeKeyboardMapping(self._display.pointer, first, 2, array, len(pairs))
        self._display.sync()

    def _lookup(self, keycode: int, mods: int) -> int:
        left, keysym = c.c_uint(), c.c_ulong()
        found = self._lib.XkbLookupKeySym(
            self._display.pointer, keycode, mods, c.byref(left), c.byref(keysym)
        )
        return int(keysym.value) if found else 0

    def _state(self) -> _XkbState:
        state = _XkbState()
        self._lib.XkbGetState(self._display.pointer, _USE_CORE_KEYBOARD, c.byref(state))
        return state


def runs(symbols: Mapping[int, tuple[int, int]]) -> list[tuple[int, list[tuple[int, int]]]]:
    """First keycode of each unbroken row of keycodes, and what they are given."""
    found: list[tuple[int, list[tuple[int, int]]]] = []
    for keycode in sorted(symbols):
        if found and found[-1][0] + len(found[-1][1]) == keycode:
            found[-1][1].append(symbols[keycode])
        else:
            found.append((keycode, [symbols[keycode]]))
    return found
