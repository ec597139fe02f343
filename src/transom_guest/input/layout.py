"""How to make a keysym on the keyboard there is. Pure: a map of the keyboard in, key strokes out.

A character the layout lacks is bound to a spare key: one that has no symbol at all. Programs read each key by the map
that they have when they come to it: when there is none left, half of them are cleared at once, the longest unused.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from transom_guest.input.characters import UNICODE_KEYSYM, canonical

SHIFT, LEVEL3 = 1, 2
"""Bits of a level: index 0..3 of a key's four keysyms (plain, Shift, AltGr, both)."""
SHIFT_L, SHIFT_R, ISO_LEVEL3_SHIFT = 0xFFE1, 0xFFE2, 0xFE03
LOCKS = frozenset({0xFFE5, 0xFFE6, 0xFF7F})
"""Caps Lock, Shift Lock, Num Lock: a keysym says what the viewer's locks made of the key."""
KEPT = 20
"""Spare keys that are left for characters nobody thought of."""
DEAF = frozenset(
    {8, 121, 122, 123, 124, *range(136, 147), 150, 151, 158, 160, *range(166, 175), 180, 181, 189, 190}
    | {213, 214, 218, 225, 231, 232, 233, 242}
)
"""Keycodes (Linux's plus 8) that programs know by themselves, whatever is bound to them: sound, power, copy, cut,
paste, undo, find, back, forward, reload, new, close, print, search, save and their like."""
LEVEL_KEYS = {SHIFT_L: SHIFT, SHIFT_R: SHIFT, ISO_LEVEL3_SHIFT: LEVEL3}


@dataclass(frozen=True, slots=True)
class Stroke:
    """Press `keycode` while exactly the level keys of `level` are down; None: with whatever is down."""

    keycode: int
    level: int | None


def is_modifier(keysym: int) -> bool:
    """True for Shift, Control, Alt, Meta, Super, Hyper, AltGr and their kin."""
    return 0xFFE1 <= keysym <= 0xFFEE or 0xFE01 <= keysym <= 0xFE13 or keysym == 0xFF7E


def makes_character(keysym: int) -> bool:
    """True when the level keys decide what is written: not for Tab, arrows, F keys and the like."""
    return keysym < 0xFE00 or keysym >= UNICODE_KEYSYM or 0xFFAA <= keysym <= 0xFFBD


class Layout:
    """The keyboard's map, as `Keymap.read` returns it, with its spare keys."""

    def __init__(self, keys: Mapping[int, tuple[int, ...]]) -> None:
        self._bound: dict[int, int] = {}
        """Keysym -> spare keycode, the longest unused first."""
        self.used: list[int] = []
        """Spare keys that make what is not wanted any more, as the map was read."""
        self.reread(keys)

    def reread(self, keys: Mapping[int, tuple[int, ...]]) -> None:
        """Take in a map that somebody changed; spares that are still as we bound them stay bound."""
        self._bound = {keysym: code for keysym, code in self._bound.items() if keysym in keys.get(code, ())}
        spare = [code for code, symbols in keys.items() if not any(symbols) or _was_ours(symbols)]
        self._spares = [code for code in spare if code not in DEAF]
        self.used = [code for code in self._spares if any(keys[code]) and code not in self._bound.values()]
        self._strokes: dict[int, list[tuple[int, int]]] = {}
        for keycode, symbols in keys.items():
            if keycode not in self._spares:
                self._add(keycode, symbols)

    @property
    def spares(self) -> int:
        """How many characters the layout lacks can be bound at one time."""
        return len(self._spares)

    def find(self, keysym: int, level: int) -> Stroke | None:
        """The stroke for `keysym`, preferring the `level` that is down now; None when no key has it."""
        keysym = canonical(keysym)
        bound = self._bound.get(keysym)
        if bound is not None:
            self._bound[keysym] = self._bound.pop(keysym)
            return Stroke(bound, None)
        found = self._strokes.get(keysym)
        if not found:
            return None
        keycode, best = min(found, key=lambda stroke: (stroke[1] != level, stroke[1]))
        return Stroke(keycode, best if makes_character(keysym) else None)

    @property
    def free(self) -> int:
        """How many spare keys make nothing."""
        return len(self._spares) - len(self._bound)

    def bind(self, keysym: int) -> int | None:
        """Take a spare key that makes nothing for `keysym`; None: all do. The caller binds it on the server too."""
        free = next((code for code in self._spares if code not in self._bound.values()), None)
        if free is not None:
            self._bound[canonical(keysym)] = free
        return free

    def clear(self, busy: Container[int]) -> list[int]:
        """Have half of the bound keys make nothing, of those that are not `busy` the longest unused.

        The caller takes their signs from them on the server too.
        """
        idle = [keysym for keysym, code in self._bound.items() if code not in busy]
        return [self._bound.pop(keysym) for keysym in idle[: (len(idle) + 1) // 2]]

    def stock(self, pairs: Iterable[tuple[int, int]]) -> dict[int, tuple[int, int]]:
        """Take spare keys for good, the last first, for pairs (plain, with Shift) of which the layout lacks one.

        At least KEPT spares stay. The caller binds them on the server too.
        """
        taken: dict[int, tuple[int, int]] = {}
        free = [code for code in self._spares if code not in self._bound.values()]
        for plain, shifted in pairs:
            if len(free) <= KEPT:
                break
            if canonical(plain) in self._strokes and canonical(shifted) in self._strokes:
                continue
            keycode = free.pop()
            self._spares.remove(keycode)
            taken[keycode] = (plain, shifted)
            self._add(keycode, (plain, shifted))
        return taken

    def is_bound(self, keycode: int) -> bool:
        """True when `keycode` is a spare that has a character now."""
        return keycode in self._bound.values()

    def _add(self, keycode: int, symbols: tuple[int, ...]) -> None:
        for level, keysym in enumerate(symbols):
            if keysym:
                self._strokes.setdefault(canonical(keysym), []).append((keycode, level))


def _was_ours(symbols: tuple[int, ...]) -> bool:
    """A spare that an earlier run of this service bound: one character on every level."""
    first = symbols[0]
    return len(set(symbols)) == 1 and (first >= UNICODE_KEYSYM or 0x80 <= first < 0xFE00)
