"""Who makes a request, and which session it is about: the dependencies of every route."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, WebSocket
from starlette.datastructures import Headers

from transom.api.parts import Parts, parts_of
from transom.auth.cookies import CookieForm, cookie_form, read_cookie
from transom.auth.limits import address_key
from transom.auth.origin import same_origin
from transom.model.errors import Refused, Unauthenticated
from transom.model.session import Session
from transom.model.user import Principal

TOKEN_LIMIT = 256
"""Characters of a token or cookie; longer is never looked up."""


def _parts(request: Request) -> Parts:
    return parts_of(request)


P = Annotated[Parts, Depends(_parts)]


def address_of(connection: Request | WebSocket) -> str:
    """The key of the address that a request comes from."""
    return address_key(connection.client.host if connection.client else "")


def _address(request: Request) -> str:
    return address_of(request)


Address = Annotated[str, Depends(_address)]


def form_of(connection: Request | WebSocket) -> CookieForm | None:
    """How a cookie travels on this connection; None where it would travel in clear."""
    peer = connection.client.host if connection.client else ""
    return cookie_form(scheme=connection.url.scheme, peer=peer, host=connection.headers.get("host", ""))


async def principal_of(connection: Request | WebSocket) -> Principal | None:
    """By `Authorization: Bearer`, or else by the cookie; None for nobody. Raises Unavailable."""
    auth = parts_of(connection).auth
    header = connection.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not _plausible(token):
            return None
        return await auth.by_token(token)
    cookie = cookie_of(connection)
    return await auth.by_cookie(cookie) if cookie is not None else None


def cookie_of(connection: Request | WebSocket) -> str | None:
    """The cookie that may sign in on this connection."""
    form = form_of(connection)
    cookie = read_cookie(connection.headers.get("cookie", ""), form.name) if form else None
    return cookie if cookie is not None and _plausible(cookie) else None


def _plausible(secret: str) -> bool:
    return 0 < len(secret) <= TOKEN_LIMIT and secret.isascii()


def origin_allowed(connection: Request | WebSocket) -> bool:
    """A WebSocket's Origin is this server's own; without one, only a token may stand in for it."""
    if "origin" not in connection.headers:
        return "authorization" in connection.headers
    return check_origin(parts_of(connection), connection.headers, connection.url.scheme)


def check_origin(parts: Parts, headers: Headers, scheme: str) -> bool:
    """True when the Origin header names this server, or an origin the operator allowed."""
    return same_origin(
        headers.get("origin"),
        host=headers.get("host", ""),
        scheme={"ws": "http", "wss": "https"}.get(scheme, scheme),
        allowed=parts.settings.origins,
    )


async def _who(request: Request) -> Principal:
    principal = await principal_of(request)
    if principal is None:
        raise Unauthenticated("sign in first")
    return principal


Who = Annotated[Principal, Depends(_who)]


def _administrator(who: Who) -> Principal:
    if not who.administrator:
        raise Refused("for administrators")
    return who


Administrator = Annotated[Principal, Depends(_administrator)]


async def _visible(session: str, who: Who, parts: P) -> Session:
    return await parts.sessions.visible(session, who)


async def _living(session: str, who: Who, parts: P) -> Session:
    return await parts.sessions.living(session, who)


Visible = Annotated[Session, Depends(_visible)]
"""The session in the path, for its owner or an administrator; living or over."""
Owned = Annotated[Session, Depends(_living)]
"""The session in the path, for its owner alone, while it lives."""
