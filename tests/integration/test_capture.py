"""What is drawn on a display is seen, whatever is asked of it meanwhile."""

from __future__ import annotations

import asyncio
import ctypes as c
import time
from contextlib import closing

import pytest

from tests.support.vnc_display import vnc_display
from tests.support.waiting import until
from transom_guest.stream import pacing
from transom_guest.stream.capture import Capture
from transom_guest.stream.frame import Frame, Pixels
from transom_guest.x11.fixes import Cursor, CursorImage
from transom_guest.x11.xlib import Display, declare

pytestmark = pytest.mark.machine
WATCH, HAND = 150, 60
"""Pointers of X11/cursorfont.h."""


class Painter:
    """A program that changes the whole picture and the pointer."""

    def __init__(self, name: str) -> None:
        self._display = Display(name)
        one = (c.c_void_p, c.c_ulong)
        declare(
            self._display.x,
            {
                "XCreateFontCursor": (c.c_ulong, (c.c_void_p, c.c_uint)),
                "XDefineCursor": (c.c_int, (*one, c.c_ulong)),
                "XSetWindowBackground": (c.c_int, (*one, c.c_ulong)),
                "XClearWindow": (c.c_int, one),
            },
        )

    def paint(self, color: int) -> None:
        x, pointer, root = self._display.x, self._display.pointer, self._display.root
        x.XSetWindowBackground(pointer, root, color)
        x.XClearWindow(pointer, root)
        self._display.sync()

    def point(self, shape: int) -> None:
        x, pointer, root = self._display.x, self._display.pointer, self._display.root
        x.XDefineCursor(pointer, root, x.XCreateFontCursor(pointer, shape))
        self._display.sync()

    def close(self) -> None:
        self._display.close()


class Taker:
    """Takes pictures, and what is told of them."""

    capture: Capture
    changes = 0
    pointers = 0

    def encode(self, screen: Pixels, frame: Frame) -> bool:
        asyncio.get_running_loop().call_soon(lambda: self.capture.frame_out(0.0, settled=True))
        return True

    def set_bitrate(self, kbps: int, vbv_ms: int, burst_kbps: int) -> None: ...
    def set_scale(self, percent: int) -> None: ...
    def size_changed(self, width: int, height: int) -> None: ...
    def grabbed(self, now: float) -> None: ...

    def cursor_changed(self, image: CursorImage | None) -> None:
        self.pointers += 1

    def changed(self, now: float) -> None:
        self.changes += 1


async def test_what_is_drawn_while_the_pointer_s_shape_is_fetched_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # a still desktop is looked at now and then in any case
    monkeypatch.setattr(pacing, "REPEAT_EVERY", 60)
    fetch = Cursor.image
    with vnc_display() as (name, _), closing(Painter(name)) as painter, closing(Display(name)) as display:
        painter.point(WATCH)
        taker = Taker()
        capture = taker.capture = Capture(display, taker, taker, taker)
        with closing(capture):
            capture.start()
            painter.paint(0x204060)
            await until(lambda: taker.changes and capture.frames)
            await asyncio.sleep(0.3)

            def fetch_late(cursor: Cursor) -> CursorImage | None:
                painter.paint(0x804020)
                time.sleep(0.05)
                return fetch(cursor)

            monkeypatch.setattr(Cursor, "image", fetch_late)
            changes, frames, pointers = taker.changes, capture.frames, taker.pointers
            painter.point(HAND)
            await until(lambda: taker.pointers > pointers)
            await until(lambda: taker.changes > changes and capture.frames > frames, seconds=5)
