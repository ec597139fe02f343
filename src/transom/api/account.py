"""Signing in to transom, and one's own API tokens."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from transom.api.access import P, Who, address_of, cookie_of, form_of
from transom.api.bodies import Me, NewToken, SignIn
from transom.model.errors import NotFound, Refused
from transom.model.user import User

router = APIRouter(tags=["account"])


def me(user: User) -> dict[str, Any]:
    """A user as the API shows one."""
    return {"id": user.id, "name": user.name, "role": user.role.value}


@router.post("/api/auth/sign-in")
async def sign_in(wanted: SignIn, request: Request, response: Response, parts: P) -> dict[str, Me]:
    """Spend a one-use key; the cookie comes with the answer."""
    parts.limits.sign_in(address_of(request))
    form = form_of(request)
    if form is None:
        raise Refused("signing in over plain HTTP works on this computer only: use HTTPS", code="insecure")
    cookie, user = await parts.auth.sign_in(wanted.key)
    response.headers["Set-Cookie"] = form.header(cookie)
    return {"user": Me(**me(user))}


@router.post("/api/auth/sign-out", status_code=204)
async def sign_out(who: Who, request: Request, response: Response, parts: P) -> None:
    """End this cookie. A token is ended by deleting it."""
    cookie, form = cookie_of(request), form_of(request)
    if who.by == "cookie" and cookie is not None:
        await parts.auth.sign_out(cookie)
    if form is not None:
        response.headers["Set-Cookie"] = form.header("")


@router.get("/api/me")
async def get_me(who: Who) -> Me:
    """Who am I?"""
    return Me(**me(who.user))


@router.get("/api/tokens")
async def get_tokens(who: Who, parts: P) -> list[dict[str, Any]]:
    """One's own tokens; nothing that signs in."""
    return [dict(token) for token in await parts.auth.tokens(who.user.id)]


@router.post("/api/tokens", status_code=201)
async def post_token(wanted: NewToken, who: Who, parts: P) -> dict[str, str]:
    """A new token, shown this once."""
    parts.limits.creation(who.user.id)
    id, token = await parts.auth.issue_token(who.user.id, wanted.label)
    return {"id": id, "label": wanted.label, "token": token}


@router.delete("/api/tokens/{token}", status_code=204)
async def delete_token(token: str, who: Who, parts: P) -> None:
    """End one of one's own tokens."""
    if len(token) > 64 or not await parts.auth.delete_token(token, who.user.id):
        raise NotFound("no such token")
