"""What each viewer holds down, and what the desktop must therefore feel. Pure: messages in, acts out.

Two viewers may hold the same key: it goes down with the first and up with the last. Whatever a viewer
holds is released when it says so, when its `h` no longer names it, when it falls silent and when it ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transom_guest.input.fingers import TouchAct, Touches, TouchOn, TouchUp
from transom_guest.input.message import (
    MAX_HELD,
    Button,
    Fingers,
    Holding,
    Key,
    Message,
    Move,
    Nudge,
    ReleaseAll,
    Text,
    Touching,
    Wheel,
)

SILENCE = 3.0
"""Seconds. A viewer says `h` each second while it holds a key or a button; one that missed three is lost."""


@dataclass(frozen=True, slots=True)
class PressKey:
    keysym: int


@dataclass(frozen=True, slots=True)
class RepeatKey:
    """It is down, and repeats once."""

    keysym: int


@dataclass(frozen=True, slots=True)
class ReleaseKey:
    keysym: int


@dataclass(frozen=True, slots=True)
class MoveTo:
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class MoveBy:
    dx: int
    dy: int


@dataclass(frozen=True, slots=True)
class PressButton:
    button: int


@dataclass(frozen=True, slots=True)
class ReleaseButton:
    button: int


@dataclass(frozen=True, slots=True)
class Scroll:
    dx: int
    dy: int


@dataclass(frozen=True, slots=True)
class TypeText:
    text: str


KeyAct = PressKey | RepeatKey | ReleaseKey | TypeText
PointerAct = MoveTo | MoveBy | PressButton | ReleaseButton | Scroll
Act = KeyAct | PointerAct | TouchAct
RELEASES = (ReleaseKey, ReleaseButton, TouchUp, TouchOn)
"""Acts that are never given up: without one of them something stays down, or a mouse's user has a touch screen."""


@dataclass(slots=True)
class _Hand:
    keys: dict[int, None] = field(default_factory=dict)
    """In the order they went down: modifiers are released last."""
    buttons: dict[int, None] = field(default_factory=dict)
    pointer_seq: int = -1
    relative: bool = False
    """Its pointer is locked: the places in `b` and `w` count for nothing until it names one by `m`."""
    heard: float = 0.0


class Hands:
    """Every viewer's hands on one keyboard and pointer. `now` is a monotonic time in seconds."""

    def __init__(self) -> None:
        self._hands: dict[str, _Hand] = {}
        self._touches = Touches()

    def take(self, viewer: str, message: Message, now: float) -> list[Act]:
        """Acts that `message` of `viewer` calls for; messages that are no input call for none."""
        hand = self._hands.setdefault(viewer, _Hand())
        hand.heard = now
        match message:
            case Key(keysym=keysym, down=True):
                return self._press_key(hand, keysym)
            case Key(keysym=keysym):
                return self._release_key(hand, keysym)
            case Holding(keysyms=keysyms):
                return self._release_keys(hand, [key for key in hand.keys if key not in keysyms])
            case ReleaseAll():
                return [*self._touches.release(viewer), *self._release_all(hand)]
            case Fingers():
                return [*self._touches.take(viewer, message)]
            case Touching(on=on):
                return [*self._touches.want(viewer, on)]
            case Text(text=text):
                return [TypeText(text)] if text else []
            case Move(seq, x, y):
                hand.relative = hand.relative and seq < hand.pointer_seq
                return self._point(hand, seq, x, y)
            case Nudge(seq, dx, dy):
                hand.relative, hand.pointer_seq = True, max(seq, hand.pointer_seq)
                return [MoveBy(dx, dy)] if dx or dy else []
            case Wheel(seq, x, y, dx, dy):
                return [*self._point(hand, seq, x, y), Scroll(dx, dy)] if dx or dy else []
            case Button(seq, x, y, button, down):
                return self._point(hand, seq, x, y) + self._button(hand, button, down)
        return []

    def leave(self, viewer: str) -> list[Act]:
        """Forget a viewer that ended; releases what it held."""
        hand = self._hands.pop(viewer, None)
        return [*self._touches.leave(viewer), *(self._release_all(hand) if hand else [])]

    def lost(self, now: float) -> list[Act]:
        """Releases of what is held by viewers who have been silent for SILENCE."""
        acts: list[Act] = []
        for viewer, hand in self._hands.items():
            if now - hand.heard >= SILENCE:
                acts += [*self._touches.release(viewer), *self._release_all(hand)]
        return acts

    def holding(self) -> bool:
        """True while any viewer holds a key or a button, or has a finger down."""
        return self._touches.touching() or any(hand.keys or hand.buttons for hand in self._hands.values())

    def _press_key(self, hand: _Hand, keysym: int) -> list[Act]:
        """A key that is down is pressed again by its viewer's keyboard: it repeats."""
        if keysym in hand.keys:
            return [RepeatKey(keysym)]
        if len(hand.keys) >= MAX_HELD:
            return []
        held = self._holds_key(keysym)
        hand.keys[keysym] = None
        return [] if held else [PressKey(keysym)]

    def _release_key(self, hand: _Hand, keysym: int) -> list[Act]:
        if keysym not in hand.keys:
            return []
        del hand.keys[keysym]
        return [] if self._holds_key(keysym) else [ReleaseKey(keysym)]

    def _release_keys(self, hand: _Hand, keysyms: list[int]) -> list[Act]:
        return [act for keysym in reversed(keysyms) for act in self._release_key(hand, keysym)]

    def _release_all(self, hand: _Hand) -> list[Act]:
        buttons = [act for button in list(hand.buttons) for act in self._button(hand, button, False)]
        return buttons + self._release_keys(hand, list(hand.keys))

    def _button(self, hand: _Hand, button: int, down: bool) -> list[Act]:
        held = self._holds_button(button)
        if down:
            hand.buttons[button] = None
            return [] if held else [PressButton(button)]
        if button not in hand.buttons:
            return []
        del hand.buttons[button]
        return [] if self._holds_button(button) else [ReleaseButton(button)]

    def _point(self, hand: _Hand, seq: int, x: int, y: int) -> list[Act]:
        """Where the pointer goes; a place older than one already seen is stale."""
        if seq < hand.pointer_seq or hand.relative:
            return []
        hand.pointer_seq = seq
        return [MoveTo(x, y)]

    def _holds_key(self, keysym: int) -> bool:
        return any(keysym in hand.keys for hand in self._hands.values())

    def _holds_button(self, button: int) -> bool:
        return any(button in hand.buttons for hand in self._hands.values())
