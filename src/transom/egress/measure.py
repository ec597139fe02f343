"""Asks an echo service for our address, through an exit or without one.

A machine's traffic never takes this way: it is the controller's own question, with a deadline, a size limit,
no redirects, no cookies and no settings of the environment.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from dataclasses import dataclass

import httpx
import socksio

from transom.egress.answer import LIMIT, BadAnswer, read_address
from transom.model.exit import Upstream

DEADLINE_S = 10.0
"""Seconds for the whole of one question."""
CONNECT_S = 6.0
"""Seconds for the connection, or for one part of the answer."""
BROKE = "the connection through the exit failed"
HEADERS = {
    "User-Agent": "transom-exit-check",
    "Accept": "text/plain, application/json",
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """The question went through."""

    address: str | None
    """None where there is no echo service to ask: then only the exit's port was tried."""
    latency_ms: float


class NotMeasured(Exception):
    """It did not; the message says why in words, and holds nothing of the answer or the credentials.

    `own`: the exit itself is to blame for certain, not the echo service behind it.
    """

    def __init__(self, message: str, *, own: bool = False) -> None:
        super().__init__(message)
        self.own = own


async def through(upstream: Upstream, echo: str | None) -> Measured:
    """Our address by this exit; without an echo service, whether its port answers. Raises NotMeasured."""
    if echo is None:
        return await _port_answers(upstream)
    try:
        return await _ask(echo, _proxy(upstream))
    except NotMeasured as error:
        if str(error) == BROKE:  # at the exit's door, or behind it: then the exit is not to blame for certain
            await _port_answers(upstream)
        raise


async def direct(echo: str) -> Measured:
    """This host's own address. Raises NotMeasured."""
    return await _ask(echo, None)


def _proxy(upstream: Upstream) -> httpx.Proxy:
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    login = (upstream.username, upstream.password or "") if upstream.username is not None else None
    context = ssl.create_default_context() if upstream.scheme == "https" else None
    return httpx.Proxy(f"{upstream.scheme}://{host}:{upstream.port}", auth=login, ssl_context=context)


async def _ask(echo: str, proxy: httpx.Proxy | None) -> Measured:
    started = time.monotonic()
    try:
        async with asyncio.timeout(DEADLINE_S):
            body = await _fetch(echo, proxy)
        return Measured(read_address(body), (time.monotonic() - started) * 1000)
    except TimeoutError:
        raise NotMeasured("no answer in time") from None
    except BadAnswer as error:
        raise NotMeasured(str(error)) from None
    except (httpx.HTTPError, httpx.InvalidURL, socksio.SOCKSError, OSError, ValueError) as error:
        words, own = _words(error)
        raise NotMeasured(words, own=own and proxy is not None) from None


async def _fetch(echo: str, proxy: httpx.Proxy | None) -> bytes:
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
    async with (
        httpx.AsyncClient(
            proxy=proxy,
            verify=ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=CONNECT_S,
            limits=limits,
            headers=HEADERS,
        ) as client,
        client.stream("GET", echo) as answer,
    ):
        if answer.status_code != 200:
            raise NotMeasured(_refusal(answer.status_code), own=answer.status_code == 407)
        body = b""
        async for chunk in answer.aiter_raw(LIMIT):
            body += chunk
            if len(body) > LIMIT:
                raise BadAnswer("the echo service said too much")
        return body


def _refusal(status: int) -> str:
    if status == 407:
        return "the exit refuses the user name or password"
    if 300 <= status < 400:
        return "the answer was a redirect"
    return f"the answer was {status}"


def _words(error: Exception) -> tuple[str, bool]:
    """What happened, and whether the exit itself is to blame for certain."""
    if isinstance(error, httpx.ProxyError):
        refused = "407" in str(error)
        return (_refusal(407), True) if refused else ("the exit refused the connection", False)
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time", False
    if isinstance(error, httpx.ConnectError) and "CERTIFICATE" in str(error).upper():
        return "a certificate on the way is not trusted", False
    if isinstance(error, httpx.ConnectError):
        return BROKE, False
    if isinstance(error, httpx.RemoteProtocolError | socksio.SOCKSError):
        return "the exit answered nonsense, or closed in the middle", False
    return BROKE, False


async def _port_answers(upstream: Upstream) -> Measured:
    started = time.monotonic()
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(upstream.host, upstream.port)
    except TimeoutError:
        raise NotMeasured("no answer in time", own=True) from None
    except (socket.gaierror, UnicodeError):
        raise NotMeasured("the exit's name was not found", own=True) from None
    except OSError:
        raise NotMeasured("the exit cannot be reached", own=True) from None
    writer.close()
    return Measured(None, (time.monotonic() - started) * 1000)
