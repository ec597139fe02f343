"""Sessions: begin one, look, end it, resize its desktop, sign in in it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header

from transom.api.access import Owned, P, Visible, Who
from transom.api.bodies import NewSession, Screen, SessionView, StartSignin
from transom.sessions.usage import numbers
from transom.sessions.wish import Wish, screen_size, start_url

router = APIRouter(tags=["sessions"])
IdempotencyKey = Annotated[str | None, Header(pattern=r"^[\x21-\x7e]{1,128}$")]


@router.get("/api/providers")
async def get_providers(who: Who, parts: P) -> list[dict[str, str]]:
    """The cards of the dashboard."""
    return [{"id": card.id, "name": card.name, "title": card.title} for card in parts.catalog.cards()]


@router.post("/api/sessions", status_code=202, response_model=SessionView)
async def post_session(
    wanted: NewSession, who: Who, parts: P, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """Ask for a session. It is answered at once; `state` tells how far it is."""
    parts.limits.creation(who.user.id)
    settings = parts.settings
    width, height = screen_size(wanted.width or settings.width, wanted.height or settings.height)
    wish = Wish(
        width=width,
        height=height,
        start_url=start_url(wanted.start_url, administrator=who.administrator),
        provider=wanted.provider,
    )
    return parts.views.session(await parts.sessions.create(who.user, wish, idempotency_key))


@router.get("/api/sessions", response_model=list[SessionView])
async def get_sessions(who: Who, parts: P) -> list[dict[str, Any]]:
    """One's own living and recent sessions, newest first."""
    return [parts.views.session(session) for session in await parts.sessions.listing(who.user)]


@router.get("/api/sessions/{session}", response_model=SessionView)
async def get_session(visible: Visible, parts: P) -> dict[str, Any]:
    """The session, living or over, with what its machine uses."""
    usage = numbers(parts.guests.usage(visible.id))
    return parts.views.session(visible) | {"usage": usage or None}


@router.delete("/api/sessions/{session}", status_code=202, response_model=SessionView)
async def delete_session(visible: Visible, parts: P) -> dict[str, Any]:
    """End the session; again is no error."""
    return parts.views.session(await parts.sessions.stop(visible))


@router.post("/api/sessions/{session}/screen", status_code=202, response_model=SessionView)
async def post_screen(owned: Owned, screen: Screen, parts: P) -> dict[str, Any]:
    """Another desktop size, for a viewer without data channels."""
    width, height = screen_size(screen.width, screen.height)
    return parts.views.session(await parts.sessions.resize(owned, width, height))


@router.post("/api/sessions/{session}/signin", status_code=202, response_model=SessionView)
async def post_signin(owned: Owned, wanted: StartSignin, parts: P, who: Who) -> dict[str, Any]:
    """Begin a sign-in, or begin it again."""
    parts.limits.creation(who.user.id)
    return parts.views.session(await parts.sessions.sign_in(owned, wanted.provider))


@router.delete("/api/sessions/{session}/signin", status_code=202, response_model=SessionView)
async def delete_signin(owned: Owned, parts: P) -> dict[str, Any]:
    """Cancel the sign-in under way."""
    return parts.views.session(await parts.sessions.cancel_sign_in(owned))
