"""Keyboards of other countries, as a browser hears them: key events by CDP, in a page of Playwright."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import accumulate, groupby
from typing import Any

from playwright.sync_api import Page

SHIFT, CONTROL = 8, 2
"""CDP's modifier bits."""
ROWS = {
    "us": ("`1234567890-=", "qwertyuiop[]\\", "asdfghjkl;'", "zxcvbnm,./"),
    "de": ("^1234567890ß´", "qwertzuiopü+#", "asdfghjklöä", "yxcvbnm,.-"),
    "fr": ("²&é\"'(-è_çà)=", "azertyuiop^$*", "qsdfghjklmù", "wxcvbn,;:!"),
    "ru": ("ё1234567890-=", "йцукенгшщзхъ\\", "фывапролджэ", "ячсмитьбю."),
    "ja": ("1234567890-^¥", "qwertyuiop@[", "asdfghjkl;:]", "zxcvbnm,./\\"),
}
SHIFTED = {
    "us": ("~!@#$%^&*()_+", "QWERTYUIOP{}|", 'ASDFGHJKL:"', "ZXCVBNM<>?"),
    "de": ('°!"§$%&/()=?`', "QWERTZUIOPÜ*'", "ASDFGHJKLÖÄ", "YXCVBNM;:_"),
    "fr": ("~1234567890°+", "AZERTYUIOP¨£µ", "QSDFGHJKLM%", "WXCVBN?./§"),
    "ru": ('Ё!"№;%:?*()_+', "ЙЦУКЕНГШЩЗХЪ/", "ФЫВАПРОЛДЖЭ", "ЯЧСМИТЬБЮ,"),
    "ja": ("!\"#$%&'()\0=~|", "QWERTYUIOP`{", "ASDFGHJKL+*}", "ZXCVBNM<>?_"),
}
CODES = (
    ("Backquote", *(f"Digit{n}" for n in "1234567890"), "Minus", "Equal"),
    (*(f"Key{c}" for c in "QWERTYUIOP"), "BracketLeft", "BracketRight", "Backslash"),
    (*(f"Key{c}" for c in "ASDFGHJKL"), "Semicolon", "Quote"),
    (*(f"Key{c}" for c in "ZXCVBNM"), "Comma", "Period", "Slash"),
)
JIS_CODES = (
    (*(f"Digit{n}" for n in "1234567890"), "Minus", "Equal", "IntlYen"),
    (*(f"Key{c}" for c in "QWERTYUIOP"), "BracketLeft", "BracketRight"),
    (*(f"Key{c}" for c in "ASDFGHJKL"), "Semicolon", "Quote", "Backslash"),
    (*(f"Key{c}" for c in "ZXCVBNM"), "Comma", "Period", "Slash", "IntlRo"),
)
"""Its key left of the 1 turns the input method on and off; Shift with 0 is nothing."""
PLACES = {"ja": JIS_CODES}
ALTGR = {
    "de": {
        "@": "KeyQ",
        "€": "KeyE",
        "{": "Digit7",
        "[": "Digit8",
        "]": "Digit9",
        "}": "Digit0",
        "\\": "Minus",
        "|": "IntlBackslash",
        "~": "BracketRight",
    },
    "fr": {
        "~": "Digit2",
        "#": "Digit3",
        "{": "Digit4",
        "[": "Digit5",
        "|": "Digit6",
        "@": "Digit0",
        "]": "Minus",
        "}": "Equal",
        "€": "KeyE",
    },
}
NAMED = {" ": ("Space", " "), "\n": ("Enter", "Enter")}
DEAD = {"é": ("Equal", "KeyE"), "á": ("Equal", "KeyA"), "É": ("Equal", "KeyE"), "ê": ("BracketLeft", "KeyE")}


class Hands:
    """Types on one page as a person with that keyboard does."""

    def __init__(self, page: Page, layout: str = "us") -> None:
        self._cdp = page.context.new_cdp_session(page)
        self.layout = layout
        self._places = dict(self._keys())

    def down(self, code: str, key: str, modifiers: int = 0, **more: Any) -> None:
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        kind = "keyDown" if text and not modifiers & CONTROL else "rawKeyDown"
        self._key(kind, code, key, modifiers, **(text if kind == "keyDown" else {}), **more)

    def up(self, code: str, key: str, modifiers: int = 0) -> None:
        self._key("keyUp", code, key, modifiers)

    def hold(self, code: str, key: str, seconds: float) -> None:
        """Press a key and keep it down: after half a second it repeats, as long as somebody calls it held."""
        began = time.monotonic()
        self.down(code, key)
        time.sleep(min(0.5, seconds))
        while time.monotonic() - began < seconds:
            self.down(code, key, autoRepeat=True)
            time.sleep(0.03)

    def tap(self, code: str, key: str, modifiers: int = 0) -> None:
        self.down(code, key, modifiers)
        self.up(code, key, modifiers)

    def type(self, text: str) -> None:
        """Key by key; Shift and AltGr are pressed as they are needed, and dead keys where the layout has no key.
        What a Japanese keyboard has no key for is made by its input method, turned on and off by keys of its own."""
        for kana, run in groupby(text, self._is_kana):
            if kana:
                self.tap("Lang1", "HiraganaKatakana")
                self.compose("k", *accumulate(run))
                self.tap("NonConvert", "NonConvert")
            else:
                self._type("".join(run))

    def _is_kana(self, char: str) -> bool:
        return self.layout == "ja" and char not in self._places and char not in NAMED

    def _type(self, text: str) -> None:
        for char in text:
            if char in NAMED:
                self.tap(*NAMED[char])
            elif char in self._places:
                self._with_level(char, *self._places[char])
            elif char in ALTGR.get(self.layout, {}):
                self._with_level(char, ALTGR[self.layout][char], "AltGraph")
            else:
                dead, code = DEAD[char]
                self.tap(dead, "Dead")
                self.tap(code, char)

    def compose(self, *steps: str) -> None:
        """An input method at work: what it shows at each key, and the last as what it commits."""
        for shown in steps:
            self._key("rawKeyDown", "KeyA", "Process", 0, windowsVirtualKeyCode=229)
            self._cdp.send(
                "Input.imeSetComposition",
                {"text": shown, "selectionStart": len(shown), "selectionEnd": len(shown)},
            )
            self.up("KeyA", "a")
        self._key("rawKeyDown", "Enter", "Process", 0, windowsVirtualKeyCode=229)
        self._cdp.send("Input.insertText", {"text": steps[-1]})
        self.up("Enter", "Enter")

    def commit(self, text: str) -> None:
        """Text from nowhere: an emoji picker, a pen."""
        self._cdp.send("Input.insertText", {"text": text})

    def _with_level(self, char: str, code: str, level: str) -> None:
        modifiers = SHIFT if level == "Shift" else 0
        other = {"Shift": "ShiftLeft", "AltGraph": "AltRight"}.get(level)
        if other:
            self.down(other, level, modifiers)
        self.tap(code, char, modifiers)
        if other:
            self.up(other, level)

    def _keys(self) -> Iterator[tuple[str, tuple[str, str]]]:
        for rows, level in ((SHIFTED, "Shift"), (ROWS, "")):
            for chars, codes in zip(rows[self.layout], PLACES.get(self.layout, CODES), strict=True):
                for char, code in zip(chars, codes, strict=True):
                    yield char, (code, level)

    def _key(self, kind: str, code: str, key: str, modifiers: int, **more: Any) -> None:
        self._cdp.send(
            "Input.dispatchKeyEvent", {"type": kind, "code": code, "key": key, "modifiers": modifiers, **more}
        )


class Fingers:
    """Fingers on one page's screen."""

    def __init__(self, page: Page) -> None:
        self._cdp = page.context.new_cdp_session(page)

    def down(self, *places: tuple[float, float]) -> None:
        self._touch("touchStart", places)

    def move(self, *places: tuple[float, float]) -> None:
        self._touch("touchMove", places)

    def up(self) -> None:
        self._touch("touchEnd", ())

    def _touch(self, kind: str, places: tuple[tuple[float, float], ...]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        self._cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
