"""What a viewer says on its data channels (docs/reference/channels.md), as `parser` has read it."""

from __future__ import annotations

from dataclasses import dataclass

MAX_FINGERS = 10
"""Down at one time."""
MAX_HELD = 64
"""Keys that one `h` may name: more than fingers, fewer than a flood."""


@dataclass(frozen=True, slots=True)
class Move:
    """The pointer is at (x, y)."""

    seq: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Nudge:
    """The pointer moved by so many pixels, as a game wants it: where it is then only the desktop knows."""

    seq: int
    dx: int
    dy: int


@dataclass(frozen=True, slots=True)
class Button:
    """A pointer button went down or up at (x, y)."""

    seq: int
    x: int
    y: int
    button: int
    down: bool


@dataclass(frozen=True, slots=True)
class Wheel:
    """Whole notches at (x, y); positive is right and down."""

    seq: int
    x: int
    y: int
    dx: int
    dy: int


@dataclass(frozen=True, slots=True)
class Finger:
    """A finger is at (x, y); the viewer numbers those that are down at one time."""

    id: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Fingers:
    """Where fingers are; with `all` no others are down, else these moved."""

    seq: int
    at: tuple[Finger, ...]
    all: bool


@dataclass(frozen=True, slots=True)
class Touching:
    """The viewer's fingers are to touch, or no more."""

    seq: int
    on: bool


@dataclass(frozen=True, slots=True)
class Key:
    """A key went down or up."""

    seq: int
    keysym: int
    down: bool


@dataclass(frozen=True, slots=True)
class Holding:
    """These keys are down at the viewer, and no others."""

    seq: int
    keysyms: frozenset[int]


@dataclass(frozen=True, slots=True)
class ReleaseAll:
    """Nothing is down at the viewer."""

    seq: int


@dataclass(frozen=True, slots=True)
class Text:
    """Committed text, to be typed."""

    seq: int
    text: str


@dataclass(frozen=True, slots=True)
class Resize:
    """The desktop should have this size; both sides even."""

    seq: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Density:
    """The viewer's pixels are this dense, in per cent of an ordinary screen's."""

    seq: int
    percent: int


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """The viewer needs a key frame."""

    seq: int


@dataclass(frozen=True, slots=True)
class Look:
    """The viewer's picture is black: is the desktop?"""

    seq: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The viewer goes on from its connection `epoch`, which it uses no more: how much of that was acted out?"""

    seq: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Ping:
    """To be answered with the same id."""

    id: int | float | str
    drawn: int | None = None
    """RTP timestamp of the newest picture that the viewer has drawn, where it tells."""


Felt = Move | Nudge | Button | Wheel | Fingers | Touching | Key | Holding | ReleaseAll | Text
Message = Felt | Resize | Density | KeyFrame | Look | Asked | Ping
