"""Users, for administrators."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request

from transom.api.access import Administrator, P
from transom.api.account import me
from transom.api.bodies import Me, NewUser
from transom.api.parts import Parts
from transom.model.errors import Conflict, NotFound
from transom.model.ids import is_id
from transom.model.user import Role, User

router = APIRouter(tags=["users"])


async def found(parts: Parts, user: str) -> User:
    """The user. Raises NotFound."""
    known = await parts.users.get_user(user) if is_id(user, "usr") else None
    if known is None:
        raise NotFound("no such user")
    return known


@router.get("/api/users")
async def get_users(who: Administrator, parts: P) -> list[Me]:
    """Every user."""
    return [Me(**me(user)) for user in await parts.users.list_users()]


@router.post("/api/users", status_code=201)
async def post_user(wanted: NewUser, who: Administrator, parts: P) -> Me:
    """A new user, who signs in with a key of `POST /api/users/{id}/key`."""
    return Me(**me(await parts.auth.add_user(wanted.name, Role(wanted.role), by=who.user.id)))


@router.delete("/api/users/{user}", status_code=204)
async def delete_user(user: str, who: Administrator, parts: P) -> None:
    """Remove a user with their sessions and credentials. Nobody removes themselves."""
    if user == who.user.id:
        raise Conflict("you cannot remove yourself")
    known = await found(parts, user)
    await parts.sessions.stop_all_of(known.id)
    await parts.auth.remove_user(known.id, by=who.user.id)


@router.post("/api/users/{user}/key", status_code=201)
async def post_key(user: str, who: Administrator, parts: P, request: Request) -> dict[str, Any]:
    """A key that signs this user in once."""
    known = await found(parts, user)
    parts.limits.creation(who.user.id)
    key = await parts.auth.issue_key(known.id, by=who.user.id)
    home = parts.settings.public_url or str(request.base_url)
    return {"key": key, "url": f"{home.rstrip('/')}/?key={quote(key, safe='')}"}
