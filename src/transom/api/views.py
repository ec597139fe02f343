"""How a session looks from outside."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict
from typing import Any

from transom.model.clock import Clock
from transom.model.session import Session, Signin

REMEMBERED = 4096
"""Sessions whose sequence is remembered; of another the clock gives a higher one."""


class Views:
    """Sessions as JSON objects, numbered so that a viewer can tell the newer of two."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, tuple[dict[str, Any], int]] = OrderedDict()

    def session(self, session: Session) -> dict[str, Any]:
        """The object of `docs/reference/http.md`."""
        view = _view(session)
        return {**view, "sequence": self._sequence(session.id, view)}

    def _sequence(self, session: str, view: dict[str, Any]) -> int:
        before, number = self._seen.get(session, ({}, 0))
        if before != view:
            number = max(number + 1, self._clock())
        self._seen[session] = (view, number)
        self._seen.move_to_end(session)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return number


def _view(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "state": session.state.value,
        "reason": session.wanted_end.value if session.wanted_end else None,
        "detail": session.end_detail,
        "provider": session.provider,
        "driver": session.driver,
        "machine": session.machine,
        "warm": session.pooled,
        "attempt": session.attempt,
        "retried": session.retried,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "idle_at": session.idle_at,
        "width": session.width,
        "height": session.height,
        "warnings": list(session.warnings),
        "timeline": dict(session.timeline),
        "signin": signin(session.signin),
        "page": f"/session/{session.id}",
    }


GUESTS_SEE = ("id", "state", "reason", "width", "height", "expires_at", "created_at")
"""Of a session. The others are there and empty, so that one page can show both."""


def guest_session(session: Session) -> dict[str, Any]:
    """What somebody who came by a link is told: how it stands, and nothing of whose it is or what it is for."""
    whole = _view(session)
    hidden = {"str": "", "int": 0, "bool": False, "list": [], "dict": {}}
    return {
        name: value if name in GUESTS_SEE else hidden.get(type(value).__name__)
        for name, value in whole.items()
    } | {"sequence": 0}


def signin(flow: Signin | None) -> dict[str, Any] | None:
    """A sign-in, or null."""
    if flow is None:
        return None
    view = asdict(flow) | {"stage": flow.stage.value, "saved": None}
    names, expires_at = view.pop("saved_names"), view.pop("saved_expires_at")
    if names:
        view["saved"] = {"names": list(names), "expires_at": expires_at}
    return view
