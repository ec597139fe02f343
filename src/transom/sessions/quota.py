"""Who may have one more session."""

from __future__ import annotations

from collections.abc import Iterable

from transom.model.errors import TooMany, Unavailable
from transom.model.session import Session

RETRY_AFTER_S = 10
"""Seconds after which asking again makes sense: about what it takes to stop a session."""


def check(living: Iterable[Session], user: str, *, per_user: int, in_all: int) -> None:
    """Raises TooMany when the user has enough, Unavailable when the host is full."""
    sessions = list(living)
    own = sum(1 for session in sessions if session.user == user)
    if own >= per_user:
        raise TooMany(f"you have {own} sessions; stop one first", retry_after=RETRY_AFTER_S)
    if len(sessions) >= in_all:
        raise Unavailable("this host is full", code="full", retry_after=RETRY_AFTER_S)
