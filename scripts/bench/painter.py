"""The X client that every peer shows: `python painter.py DISPLAY PIXELS`, obeying words on standard input.

PIXELS is a file with a long page, rows of BGRx as wide as the screen.

`flip`    the page's beginning with a square on it; each key turns the square from red to green and back
`type`    each key adds a character to a line of text
`scroll`  the page moves up the screen at 60 Hz, each frame painted anew as a browser does it
`motion`  a gradient moves across the whole screen at 60 Hz, and bodies in orbits before it: no pixel stays
`halt`    the last frame stays as it is

Says `ready` once it has painted. It holds the keyboard: what has the focus under it does not matter.
"""

from __future__ import annotations

import ctypes as c
import math
import select
import sys
import time
from pathlib import Path

from transom_guest.x11.xlib import Display, declare

KEY_PRESS, EXPOSE, KEY_PRESS_MASK, EXPOSURE_MASK, Z_PIXMAP = 2, 12, 1, 1 << 15, 2
OVERRIDE_REDIRECT = 1 << 9
FPS = 60
STEP_PX, LINE_PX = 5, 16
PAPER, INK, RED, GREEN = 0xF6F6F2, 0x202428, 0xC81E1E, 0x1EA03C
HUES = (0xC81E1E, 0x1EA03C, 0x2040D0, 0xD0C020, 0x20B0C0, 0xB030B0)
"""What the block in the corner goes through while text scrolls, one a frame: a viewer counts the changes."""
PERIOD_PX, SHIFT_PX, BODIES = 640, 8, 12
"""The gradient repeats itself so soon, and moves so far in a frame; and so many bodies are before it."""
WORDS = "the quick brown fox jumps over the lazy dog, and the door stays shut all the while; "


class Attributes(c.Structure):
    """Xlib's XSetWindowAttributes."""

    _fields_ = (
        ("background_pixmap", c.c_ulong),
        ("background_pixel", c.c_ulong),
        ("border_pixmap", c.c_ulong),
        ("border_pixel", c.c_ulong),
        ("bit_gravity", c.c_int),
        ("win_gravity", c.c_int),
        ("backing_store", c.c_int),
        ("backing_planes", c.c_ulong),
        ("backing_pixel", c.c_ulong),
        ("save_under", c.c_int),
        ("event_mask", c.c_long),
        ("do_not_propagate_mask", c.c_long),
        ("override_redirect", c.c_int),
        ("colormap", c.c_ulong),
        ("cursor", c.c_ulong),
    )


class Painter:
    """One window over the whole screen, and the page beside it, in the server."""

    def __init__(self, display: Display, pixels: bytes) -> None:
        self.display, self.x = display, display.x
        integer, unsigned, long, pointer = c.c_int, c.c_uint, c.c_ulong, c.c_void_p
        area = (integer, integer, unsigned, unsigned)
        declare(
            self.x,
            {
                "XCreateSimpleWindow": (long, (pointer, long, *area, unsigned, long, long)),
                "XChangeWindowAttributes": (integer, (pointer, long, long, c.POINTER(Attributes))),
                "XMapRaised": (integer, (pointer, long)),
                "XRaiseWindow": (integer, (pointer, long)),
                "XCreatePixmap": (long, (pointer, long, unsigned, unsigned, unsigned)),
                "XCreateGC": (pointer, (pointer, long, long, pointer)),
                "XSetForeground": (integer, (pointer, pointer, long)),
                "XCreateImage": (
                    pointer,
                    (
                        pointer,
                        pointer,
                        unsigned,
                        *(integer,) * 2,
                        c.c_char_p,
                        unsigned,
                        unsigned,
                        *(integer,) * 2,
                    ),
                ),
                "XPutImage": (
                    integer,
                    (pointer, long, pointer, pointer, *(integer,) * 4, unsigned, unsigned),
                ),
                "XFillRectangle": (integer, (pointer, long, pointer, *area)),
                "XDrawString": (integer, (pointer, long, pointer, integer, integer, c.c_char_p, integer)),
                "XCopyArea": (integer, (pointer, long, long, pointer, *area, integer, integer)),
                "XGrabKeyboard": (integer, (pointer, long, integer, integer, integer, long)),
            },
        )
        self.width, self.height = display.size()
        pointer = display.pointer
        self.window = self.x.XCreateSimpleWindow(
            pointer, display.root, 0, 0, self.width, self.height, 0, 0, PAPER
        )
        kept = Attributes(override_redirect=1)
        self.x.XChangeWindowAttributes(pointer, self.window, OVERRIDE_REDIRECT, c.byref(kept))
        self.x.XSelectInput(pointer, self.window, KEY_PRESS_MASK | EXPOSURE_MASK)
        self.gc = self.x.XCreateGC(pointer, self.window, 0, None)
        self.rows = len(pixels) // (4 * self.width)
        self.page = self._pixmap(pixels, self.width, self.rows)
        wide = self.width + PERIOD_PX
        self.gradient = self._pixmap(gradient(wide, self.height), wide, self.height)
        self.mode, self.green, self.typed, self.frame = "flip", False, 0, 0
        self.x.XMapRaised(pointer, self.window)
        display.sync()
        self.x.XGrabKeyboard(pointer, self.window, 1, 1, 1, 0)
        self.begin("flip")

    def begin(self, mode: str) -> None:
        """Take up another way to behave."""
        self.mode = mode
        if mode in ("flip", "type"):
            self.x.XRaiseWindow(self.display.pointer, self.window)
            self._show(0)
            self._square()
        self.display.flush()

    def key(self) -> None:
        """A key went down."""
        if self.mode == "type":
            self._letter()
        else:
            self.green = not self.green
            self._square()
        self.display.flush()

    def tick(self) -> None:
        """Paint the next frame of what moves."""
        self.frame += 1
        if self.mode == "motion":
            self._move()
        else:
            self._show(self.frame * STEP_PX % (self.rows - self.height))
        side = self.height // 6
        self._fill(self.window, HUES[self.frame % len(HUES)], self.width - side, 0, side, side)
        self.display.flush()

    def _move(self) -> None:
        at = self.frame * SHIFT_PX % PERIOD_PX
        area = (at, 0, self.width, self.height, 0, 0)
        self.x.XCopyArea(self.display.pointer, self.gradient, self.window, self.gc, *area)
        for number in range(BODIES):
            turn = self.frame / FPS * (0.5 + number / BODIES) + number
            x = self.width // 2 + int(math.cos(turn) * self.width * 0.4) - 40
            y = self.height // 2 + int(math.sin(1.3 * turn) * self.height * 0.4) - 40
            self._fill(self.window, HUES[number % len(HUES)], x, y, 80, 80)

    def _square(self) -> None:
        at = (self.width // 2 - 150, self.height // 2 - 100, 300, 200)
        self._fill(self.window, GREEN if self.green else RED, *at)

    def _letter(self) -> None:
        column, row = self.typed % 80, self.typed // 80 % 4
        if column == row == 0:
            self._fill(self.window, PAPER, 40, 40, 700, 4 * LINE_PX + 4)
        letter = WORDS[self.typed % len(WORDS)].encode()
        self._ink()
        self._draw(self.window, 40 + 8 * column, 56 + LINE_PX * row, letter)
        self.typed += 1

    def _ink(self) -> None:
        self.x.XSetForeground(self.display.pointer, self.gc, INK)

    def _draw(self, target: int, x: int, y: int, text: bytes) -> None:
        self.x.XDrawString(self.display.pointer, target, self.gc, x, y, text, len(text))

    def _fill(self, target: int, colour: int, x: int, y: int, width: int, height: int) -> None:
        self.x.XSetForeground(self.display.pointer, self.gc, colour)
        self.x.XFillRectangle(self.display.pointer, target, self.gc, x, y, width, height)

    def _show(self, top: int) -> None:
        area = (0, top, self.width, self.height, 0, 0)
        self.x.XCopyArea(self.display.pointer, self.page, self.window, self.gc, *area)

    def _pixmap(self, pixels: bytes, width: int, height: int) -> int:
        pointer, x = self.display.pointer, self.x
        depth, size = x.XDefaultDepth(pointer, self.display.screen), (width, height)
        visual = x.XDefaultVisual(pointer, self.display.screen)
        made: int = x.XCreatePixmap(pointer, self.window, *size, depth)
        image = x.XCreateImage(pointer, visual, depth, Z_PIXMAP, 0, pixels, *size, 32, 0)
        x.XPutImage(pointer, made, self.gc, image, 0, 0, 0, 0, *size)
        self.display.sync()
        x.XFree(image)
        return made


def gradient(width: int, height: int) -> bytes:
    """Rows of BGRx: the three colours as waves along both diagonals' sum, so that a step aside changes each pixel."""
    line = bytearray()
    for at in range(width + height):
        turn = 2 * math.pi * at / PERIOD_PX
        line += bytes(int(127.5 + 127.5 * math.sin(turn + third)) for third in (0, 2.1, 4.2)) + b"\0"
    return b"".join(bytes(line[4 * row : 4 * (row + width)]) for row in range(height))


def run(painter: Painter) -> None:
    """Obey until standard input ends."""
    due = time.monotonic()
    while True:
        moving = painter.mode in ("scroll", "motion")
        wait = max(0.0, due - time.monotonic()) if moving else None
        readable, _, _ = select.select([painter.display.fileno(), sys.stdin], [], [], wait)
        if sys.stdin in readable:
            word = sys.stdin.readline().strip()
            if not word:
                return
            painter.begin(word)
            due = time.monotonic()
        for event in painter.display.events():
            if event.type == KEY_PRESS:
                painter.key()
            elif event.type == EXPOSE:
                # the screen had another size for a moment, and what was outside of it is paper
                painter.begin(painter.mode)
        if painter.mode in ("scroll", "motion") and time.monotonic() >= due:
            painter.tick()
            due = max(due + 1 / FPS, time.monotonic() - 1 / FPS)


if __name__ == "__main__":
    painting = Painter(Display(sys.argv[1]), Path(sys.argv[2]).read_bytes())
    painting.display.sync()
    print("ready", flush=True)
    run(painting)
