"""What each viewer's fingers touch, and what the desktop's touch screen must therefore feel. Pure.

A viewer says which of its fingers are down, and where they moved: what was lost on the way heals with the next
word. Of several viewers each has its own fingers, and all together MAX_FINGERS.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transom_guest.input.message import MAX_FINGERS, Finger, Fingers


@dataclass(frozen=True, slots=True)
class TouchOn:
    """Somebody has fingers now, or nobody has any more: the desktop's programs see a touch screen, or a mouse."""

    on: bool


@dataclass(frozen=True, slots=True)
class TouchDown:
    contact: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class TouchMove:
    contact: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class TouchUp:
    contact: int


TouchAct = TouchOn | TouchDown | TouchMove | TouchUp


@dataclass(slots=True)
class _Touching:
    seq: int = -1
    down: dict[int, tuple[int, Finger]] = field(default_factory=dict)
    """A viewer's number of a finger -> the touch screen's, and where it is."""


class Touches:
    """Every viewer's fingers on one touch screen."""

    def __init__(self) -> None:
        self._viewers: dict[str, _Touching] = {}
        self._contacts = 0

    def want(self, viewer: str, on: bool) -> list[TouchAct]:
        """A viewer's fingers are to be fingers, or no more."""
        if not on:
            return self.leave(viewer)
        first = not self._viewers
        self._viewers.setdefault(viewer, _Touching())
        return [TouchOn(True)] if first else []

    def take(self, viewer: str, said: Fingers) -> list[TouchAct]:
        """A viewer's fingers. Nothing of a viewer that never wanted touch; a place older than one seen is stale."""
        touching = self._viewers.get(viewer)
        if touching is None:
            return []
        fresh = said.seq >= touching.seq
        touching.seq = max(touching.seq, said.seq)
        acts: list[TouchAct] = []
        if said.all:
            here = {finger.id for finger in said.at}
            acts += [self._up(touching, gone) for gone in list(touching.down) if gone not in here]
        for finger in said.at:
            if finger.id in touching.down:
                acts += self._move(touching, finger) if fresh else []
            elif said.all and self._count() < MAX_FINGERS:
                acts.append(self._down(touching, finger))
        return acts

    def release(self, viewer: str) -> list[TouchAct]:
        """All fingers of a viewer up."""
        touching = self._viewers.get(viewer)
        return [self._up(touching, each) for each in list(touching.down)] if touching else []

    def leave(self, viewer: str) -> list[TouchAct]:
        """A viewer wants no touch any more, or is gone."""
        acts = self.release(viewer)
        if self._viewers.pop(viewer, None) is not None and not self._viewers:
            acts.append(TouchOn(False))
        return acts

    def touching(self) -> bool:
        """True while any finger is down."""
        return self._count() > 0

    def _count(self) -> int:
        return sum(len(each.down) for each in self._viewers.values())

    def _down(self, touching: _Touching, finger: Finger) -> TouchAct:
        self._contacts += 1
        touching.down[finger.id] = (self._contacts, finger)
        return TouchDown(self._contacts, finger.x, finger.y)

    def _move(self, touching: _Touching, finger: Finger) -> list[TouchAct]:
        contact, before = touching.down[finger.id]
        if finger == before:
            return []
        touching.down[finger.id] = (contact, finger)
        return [TouchMove(contact, finger.x, finger.y)]

    def _up(self, touching: _Touching, number: int) -> TouchAct:
        contact, _ = touching.down.pop(number)
        return TouchUp(contact)
