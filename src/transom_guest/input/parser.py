"""A viewer's messages out of their text, which is read as if an attacker wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NoReturn

from transom_guest.input.message import (
    MAX_FINGERS,
    MAX_HELD,
    Asked,
    Button,
    Density,
    Finger,
    Fingers,
    Holding,
    Key,
    KeyFrame,
    Look,
    Message,
    Move,
    Nudge,
    Ping,
    ReleaseAll,
    Resize,
    Text,
    Touching,
    Wheel,
)
from transom_wire.screen import MAX_SIDE, MIN_SIDE, even

MAX_MESSAGE = 16 * 1024
"""Bytes of UTF-8."""
MAX_TEXT = 1000
MAX_NOTCHES = 10
MIN_DENSITY, MAX_DENSITY = 100, 400
MAX_NUDGE = 4096
"""Pixels of one relative move, each way: more than a hand does between two pictures."""
MAX_SEQ = 2**53
MAX_EPOCH = 2**31
MAX_RTP_TIME = 2**32 - 1
MAX_PING_ID = 64
"""Characters of a ping's id when it is text."""
BUTTONS = (1, 2, 3, 8, 9)
UNICODE_KEYSYM = 0x01000000
MAX_KEYSYM = 0x1FFFFFFF
"""X11 leaves the top three bits of a keysym zero."""


class InputError(ValueError):
    """A message outside the contract; the text says why and never quotes it."""


class SizeError(InputError):
    """A size that no desktop may have."""


def parse(text: str) -> Message:
    """Return the message in `text`. Raises InputError."""
    if len(text) > MAX_MESSAGE or len(text.encode("utf-8", "surrogatepass")) > MAX_MESSAGE:
        raise InputError("message too long")
    try:
        fields = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError("not JSON") from error
    if not isinstance(fields, list) or not fields or not isinstance(fields[0], str):
        raise InputError("not an array that begins with a tag")
    reader = _READERS.get(fields[0])
    if reader is None:
        raise InputError("unknown tag")
    count, read = reader
    if not count <= len(fields) <= count + _MORE.get(fields[0], 0):
        raise InputError("wrong number of fields")
    return read(*fields[1:])


def _refuse(_constant: str) -> NoReturn:
    raise InputError("not a number")


def _whole(value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError("not a whole number in range")
    return value


def _seq(value: object) -> int:
    return _whole(value, 0, MAX_SEQ)


def _at(value: object) -> int:
    return _whole(value, 0, MAX_SIDE - 1)


def _by(value: object) -> int:
    return _whole(value, -MAX_NUDGE, MAX_NUDGE)


def _flag(value: object) -> bool:
    return _whole(value, 0, 1) == 1


def _keysym(value: object) -> int:
    keysym = _whole(value, 1, MAX_KEYSYM)
    if UNICODE_KEYSYM <= keysym <= UNICODE_KEYSYM + 0xFFFFFF:
        point = keysym - UNICODE_KEYSYM
        if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF or point < 0x20:
            raise InputError("no such code point")
    return keysym


def _button(seq: object, x: object, y: object, button: object, down: object) -> Button:
    if _whole(button, 1, 9) not in BUTTONS:
        raise InputError("no such button")
    return Button(_seq(seq), _at(x), _at(y), _whole(button, 1, 9), _flag(down))


def _wheel(seq: object, x: object, y: object, dx: object, dy: object) -> Wheel:
    across, along = (_whole(value, -MAX_NOTCHES, MAX_NOTCHES) for value in (dx, dy))
    return Wheel(_seq(seq), _at(x), _at(y), across, along)


def _fingers(seq: object, at: object, whole: bool) -> Fingers:
    if not isinstance(at, list) or len(at) > MAX_FINGERS:
        raise InputError("not a list of fingers, or too long")
    if not all(isinstance(each, list) and len(each) == 3 for each in at):
        raise InputError("not a finger")
    fingers = tuple(Finger(_whole(id, 0, MAX_FINGERS - 1), _at(x), _at(y)) for id, x, y in at)
    if len({finger.id for finger in fingers}) < len(fingers):
        raise InputError("one finger twice")
    return Fingers(_seq(seq), fingers, whole)


def _holding(seq: object, keysyms: object) -> Holding:
    if not isinstance(keysyms, list) or len(keysyms) > MAX_HELD:
        raise InputError("not a list of keysyms, or too long")
    return Holding(_seq(seq), frozenset(_keysym(value) for value in keysyms))


def _text(seq: object, text: object) -> Text:
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise InputError("not a text within its limit")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InputError("a lone surrogate")
    return Text(_seq(seq), text)


def _resize(seq: object, width: object, height: object) -> Resize:
    number = _seq(seq)
    try:
        wide, high = (_whole(value, MIN_SIDE, MAX_SIDE) for value in (width, height))
    except InputError as error:
        raise SizeError("no such size") from error
    return Resize(number, *even(wide, high))


def _density(seq: object, percent: object) -> Density:
    return Density(_seq(seq), _whole(percent, MIN_DENSITY, MAX_DENSITY))


def _ping(id: object, *drawn: object) -> Ping:
    rtp_time = _whole(drawn[0], 0, MAX_RTP_TIME) if drawn else None
    if isinstance(id, str) and len(id) <= MAX_PING_ID and id.isprintable():
        return Ping(id, rtp_time)
    if isinstance(id, int | float) and not isinstance(id, bool) and abs(id) <= MAX_SEQ:
        return Ping(id, rtp_time)
    raise InputError("not an id")


_READERS: dict[str, tuple[int, Callable[..., Message]]] = {
    "m": (4, lambda seq, x, y: Move(_seq(seq), _at(x), _at(y))),
    "d": (4, lambda seq, dx, dy: Nudge(_seq(seq), _by(dx), _by(dy))),
    "b": (6, _button),
    "w": (6, _wheel),
    "f": (3, lambda seq, at: _fingers(seq, at, True)),
    "g": (3, lambda seq, at: _fingers(seq, at, False)),
    "y": (3, lambda seq, on: Touching(_seq(seq), _flag(on))),
    "k": (4, lambda seq, keysym, down: Key(_seq(seq), _keysym(keysym), _flag(down))),
    "h": (3, _holding),
    "r": (2, lambda seq: ReleaseAll(_seq(seq))),
    "t": (3, _text),
    "s": (4, _resize),
    "z": (3, _density),
    "i": (2, lambda seq: KeyFrame(_seq(seq))),
    "l": (2, lambda seq: Look(_seq(seq))),
    "o": (3, lambda seq, epoch: Asked(_seq(seq), _whole(epoch, 1, MAX_EPOCH))),
    "p": (2, _ping),
}
_MORE = {"p": 1}
"""Fields that may follow."""
