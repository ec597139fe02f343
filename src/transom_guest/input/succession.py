"""A page that goes on by another connection, and asks how much of the one before was acted out."""

from __future__ import annotations

import json
from typing import Protocol

from transom_guest.input.message import Asked
from transom_guest.input.taken import Taken

UNKNOWN = -1


class Hands(Protocol):
    """What is needed of input.actor.Actor."""

    def leave(self, viewer: str) -> None: ...


class Succession:
    """Answers them, of each page's own connections only: `viewer` begins with the page's name, as the link told it."""

    def __init__(self, hands: Hands, taken: Taken) -> None:
        self._hands, self._taken = hands, taken

    def begin(self, viewer: str) -> None:
        """What this connection says is acted out from now on, and written down."""
        self._taken.begin(viewer)

    def admits(self, viewer: str) -> bool:
        """False once its page has gone on by another connection."""
        return self._taken.admits(viewer)

    def bar(self, page: str) -> None:
        """The desktop was taken from this page: nothing that it typed before is typed by its next connection."""
        self._taken.bar(page)

    def answer(self, viewer: str, asked: Asked) -> str:
        """What to say. The connection that was asked about is over from here on: what it held is released, what it
        still had to type is forgotten, and what comes of it late is not taken."""
        before = f"{viewer.partition('/')[0]}/{asked.epoch}"
        had = None
        if before != viewer:
            self._hands.leave(before)
            had = self._taken.close(before)
        return json.dumps(["had", asked.epoch, UNKNOWN if had is None else had])
