"""A keyboard and pointer that write down what is done to them."""

from __future__ import annotations

import socket
from typing import Any

SHIFT_CODE, LEVEL3_CODE, A_CODE, TWO_CODE, TAB_CODE, RETURN_CODE = 50, 92, 38, 11, 23, 36
SPARES = tuple(range(200, 212))
US: dict[int, tuple[int, ...]] = {
    TWO_CODE: (0x32, 0x40, 0x32, 0x40),
    TAB_CODE: (0xFF09, 0xFE20, 0xFF09, 0xFE20),
    RETURN_CODE: (0xFF0D,) * 4,
    A_CODE: (0x61, 0x41, 0x61, 0x41),
    SHIFT_CODE: (0xFFE1, 0, 0xFFE1, 0),
    LEVEL3_CODE: (0xFE03,) * 4,
    **dict.fromkeys(SPARES, (0, 0, 0, 0)),
}


class Desk:
    """Stands for Display, FakeInput, Keymap and Pings at once; `done` is what the server would have been told."""

    def __init__(self) -> None:
        self.held_before, self.released = 0, False
        self.done: list[tuple[Any, ...]] = []
        self.pending: list[Any] = []
        self.map = dict(US)
        self.unlocked = 0
        self.focused: int | None = None
        self.x = self
        self.ours, self.server = socket.socketpair()

    # Display
    def fileno(self) -> int:
        return self.ours.fileno()

    def flush(self) -> None: ...
    def sync(self) -> None: ...

    def events(self) -> list[Any]:
        found, self.pending = self.pending, []
        return found

    def XRefreshKeyboardMapping(self, event: Any) -> None: ...

    # FakeInput
    def release_all(self) -> int:
        """A desk that begins has nothing down, unless a test says so."""
        self.released = True
        return self.held_before

    def key(self, keycode: int, down: bool) -> None:
        self.done.append(("key", keycode, down))

    def keys_down(self) -> list[int]:
        return sorted(code for kind, code in self.down() if kind == "key")

    def button(self, button: int, down: bool) -> None:
        self.done.append(("button", button, down))

    def move(self, x: int, y: int) -> None:
        self.done.append(("move", x, y))

    def nudge(self, dx: int, dy: int) -> None:
        self.done.append(("nudge", dx, dy))

    # Keymap
    def read(self) -> dict[int, tuple[int, ...]]:
        return dict(self.map)

    def unlock(self, mask: int) -> None:
        self.unlocked |= mask

    def bind(self, symbols: dict[int, tuple[int, int]]) -> None:
        if symbols:
            self.done.append(("bind", dict(symbols)))
        self.map |= {code: pair * 2 for code, pair in symbols.items()}

    # Pings
    def window(self) -> int | None:
        """Nobody has the focus, unless a test says so."""
        return self.focused

    def ask(self, window: int) -> int:
        self.done.append(("ask", window))
        return len(self.done)

    def answered(self, event: Any) -> int | None:
        return getattr(event, "type", 0) or None

    def down(self) -> set[tuple[str, int]]:
        """Keys and buttons that are down after all that was done."""
        held: set[tuple[str, int]] = set()
        for kind, *rest in self.done:
            if kind in ("key", "button"):
                (held.add if rest[1] else held.discard)((kind, rest[0]))
        return held

    def typed(self) -> str:
        """What the key presses so far would have written."""
        level, text = 0, ""
        symbols = dict(US)
        bits = {SHIFT_CODE: 1, LEVEL3_CODE: 2}
        for kind, *rest in self.done:
            if kind == "bind":
                symbols |= {code: pair * 2 for code, pair in rest[0].items()}
            elif kind == "key" and rest[0] in bits:
                level = level | bits[rest[0]] if rest[1] else level & ~bits[rest[0]]
            elif kind == "key" and rest[1]:
                keysym = symbols[rest[0]][level]
                text += {0xFF0D: "\n", 0xFF09: "\t"}.get(keysym) or chr(keysym & 0xFFFFFF)
        return text
