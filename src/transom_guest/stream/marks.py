"""Marks: which frame is the first to show what an input did, and what the guest took for it. Pure.

One input of a viewer is followed at a time, and at most two a second. What the desktop would have drawn anyway
counts as the input's doing: nobody can tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from transom_guest.input.message import Button, Key, Text, Wheel

MARKED = (Key, Button, Wheel, Text)
"""Input that a viewer expects to see something of: a pointer's move may well change nothing."""
EVERY = 0.5
"""Seconds between two marks of one viewer."""
PATIENCE = 1.0
"""Seconds after which an input that changed nothing is forgotten."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The viewer's input `seq` shows first in the frame grabbed at `grabbed`; milliseconds of each step."""

    viewer: str
    seq: int
    grabbed: float
    act_ms: float
    grab_ms: float
    send_ms: float
    steps_ms: tuple[float, ...] = ()
    """Of `send_ms`: reading the screen, converting colours, encoding."""

    def message(self, rtp_time: int) -> str:
        """As the viewer is told, whose stream has `rtp_time` at that grab."""
        steps = (self.act_ms, self.grab_ms, self.send_ms, *self.steps_ms)
        return json.dumps(["mark", self.seq, rtp_time, *steps])


class Marked(Protocol):
    """What is needed of a peer."""

    @property
    def key(self) -> str: ...
    def say(self, text: str) -> bool: ...
    def rtp_time(self, seconds: float) -> int: ...


@dataclass(slots=True)
class _Followed:
    seq: int
    felt: float
    changed: float | None = None
    grabbed: float | None = None


class Marks:
    """Follows inputs of all viewers. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._followed: dict[str, _Followed] = {}
        self._marked: dict[str, float] = {}

    def felt(self, viewer: str, seq: int, now: float) -> None:
        """An input of a viewer is about to be acted on."""
        one = self._followed.get(viewer)
        if one is not None and now < one.felt + PATIENCE:
            return
        if now >= self._marked.get(viewer, float("-inf")) + EVERY:
            self._followed[viewer] = _Followed(seq, now)

    def changed(self, now: float) -> None:
        """The desktop changed."""
        for one in self._followed.values():
            one.changed = now if one.changed is None else one.changed

    def grabbed(self, now: float) -> None:
        """The desktop was grabbed."""
        for one in self._followed.values():
            if one.changed is not None and one.grabbed is None:
                one.grabbed = now

    def sent(self, now: float, within: Sequence[float] = ()) -> list[Mark]:
        """The frame grabbed last was sent, after steps of so many seconds: the marks that it is due."""
        made: list[Mark] = []
        for viewer, one in list(self._followed.items()):
            if one.changed is None or one.grabbed is None:
                continue
            act, grab, send = one.changed - one.felt, one.grabbed - one.changed, now - one.grabbed
            steps = (_milliseconds(act), _milliseconds(grab), _milliseconds(send))
            made.append(Mark(viewer, one.seq, one.grabbed, *steps, tuple(map(_milliseconds, within))))
            self._marked[viewer] = now
            del self._followed[viewer]
        return made

    def tell(self, now: float, viewers: Iterable[Marked], within: Sequence[float]) -> None:
        """The frame grabbed last was sent, after steps of so many seconds: tell viewers of their marks."""
        for mark in self.sent(now, within):
            for viewer in viewers:
                if viewer.key == mark.viewer:
                    viewer.say(mark.message(viewer.rtp_time(mark.grabbed)))

    def leave(self, viewer: str) -> None:
        """A viewer ended."""
        self._followed.pop(viewer, None)
        self._marked.pop(viewer, None)


def _milliseconds(seconds: float) -> float:
    return round(max(seconds, 0) * 1000, 1)
