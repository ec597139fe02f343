"""What stands before every route: size of bodies, origin of requests, headers of answers. Plain ASGI."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transom.api.errors import body as error_body

BODY_LIMIT = 160 * 1024
"""Bytes: an SDP of 64 KiB as JSON, and room."""
DRAIN_LIMIT, DRAIN_S = 4 * 2**20, 5.0
"""How many bytes over the limit, and for how many seconds, are still read so that the answer arrives."""
READ_S = 20.0
"""Seconds for a whole body to arrive: one that dribbles in holds a connection and memory."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src {scripts}",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


def content_policy(scripts: Sequence[str] = ()) -> str:
    """The policy of an answer, in which the scripts of these digests stand."""
    return POLICY.format(scripts=" ".join(("'self'", *scripts)))


HEADERS = {
    "Content-Security-Policy": content_policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

DESKTOP_PERMISSIONS = "camera=(), microphone=(self), geolocation=()"
"""Where a desktop is shown: the browser still asks the person, and the machine takes what the policy allows."""

OriginCheck = Callable[[Headers, str], bool]
"""(headers, scheme) -> True when the Origin header is this server's own, or an allowed one."""


async def refuse(send: Send, status: int, code: str, message: str) -> None:
    """Answer with an error object, and read no more from this connection."""
    content = json.dumps(error_body(code, message)).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


class SecurityHeaders:
    """Adds the headers to every answer; answers of the API are never stored."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        api = not scope["path"].startswith("/static/")

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store" if api else "no-cache")
            await send(message)

        await self._app(scope, receive, with_headers)


STREAMED = re.compile(r"/api/sessions/[^/]+/files/[^/]+")
"""Where a PUT's body is a file: its route reads it as it comes, within limits and times of its own."""


OverLimit = Callable[[str, str], None]


class BodyLimit:
    """Answers 413 to a body over the limit, announced or not, and 408 to one that is too slow; never holds more
    than the limit. A length said in two ways is 400: a proxy before this server may have believed the other."""

    def __init__(self, app: ASGIApp, limit: int = BODY_LIMIT, over: OverLimit = lambda _m, _p: None) -> None:
        """`over` hears the method and path of each request whose body is over the limit."""
        self._app, self._limit, self._over = app, limit, over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "transfer-encoding" in headers and "content-length" in headers:
            await refuse(send, 400, "invalid", "a body has Content-Length or Transfer-Encoding, not both")
            return
        if scope.get("method") == "PUT" and STREAMED.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        announced = headers.get("content-length", "0")
        fits = announced.isdigit() and int(announced[:20]) <= self._limit
        try:
            async with asyncio.timeout(READ_S):
                messages = await self._read(receive) if fits else None
        except TimeoutError:
            await refuse(send, 408, "too_slow", f"the body did not arrive within {READ_S:g} seconds")
            return
        if messages is None:
            self._over(scope["method"], scope["path"])
            await self._drain(receive)
            await refuse(send, 413, "too_large", f"the body is over {self._limit} bytes")
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive) -> list[Message] | None:
        messages: list[Message] = []
        size, more = 0, True
        while more:
            message = await receive()
            messages.append(message)
            size += len(message.get("body", b""))
            more = _more(message)
            if size > self._limit:
                return None
        return messages

    async def _drain(self, receive: Receive) -> None:
        """Read on and keep nothing: a client that is cut off while it sends never reads the answer."""
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while size <= DRAIN_LIMIT:
                    message = await receive()
                    size += len(message.get("body", b""))
                    if not _more(message):
                        return


def _more(message: Message) -> bool:
    return message["type"] == "http.request" and bool(message.get("more_body", False))


class OriginGuard:
    """Refuses unsafe requests that another site's page makes a browser send."""

    def __init__(self, app: ASGIApp, check: OriginCheck) -> None:
        self._app, self._check = app, check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE:
            headers = Headers(scope=scope)
            by_cookie = "cookie" in headers and "authorization" not in headers
            if (by_cookie or "origin" in headers) and not self._check(headers, scope["scheme"]):
                await refuse(send, 403, "foreign_origin", "the Origin of this request is not this server")
                return
        await self._app(scope, receive, send)
