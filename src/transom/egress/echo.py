"""A small echo service: answers with the caller's address, keeps nothing, writes no address down.

`GET /` is text, `GET /json` (or `Accept: application/json`) is `{"ip": "..."}`, `GET /healthz` is `ok`. One
request a connection. What a header says of the caller is not believed: behind a proxy it would be the proxy's.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

import h11

HEAD_LIMIT = 8192
"""Bytes of a request before it is refused."""
DEADLINE_S = 5.0
"""Seconds for a whole request."""
AT_ONCE = 256
"""Connections served together; more are closed at once."""
PER_MINUTE = 120
"""Requests an address may make in a minute; over it, 429."""
REMEMBERED = 10_000
"""Addresses whose requests are counted, in memory; the one seen longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"


class Budget:
    """Requests of each address in the current minute, in bounded memory."""

    def __init__(self, count: int = PER_MINUTE) -> None:
        self._count = count
        self._used: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def allow(self, address: str, minute: int) -> bool:
        """Count one; False when there were enough."""
        at, used = self._used.pop(address, (minute, 0))
        used = used + 1 if at == minute else 1
        self._used[address] = (minute, used)
        if len(self._used) > REMEMBERED:
            self._used.popitem(last=False)
        return used <= self._count


def answer(method: str, target: str, accept: str, address: str) -> Answer:
    """What a request gets. Pure."""
    path = target.partition("?")[0]
    if method not in ("GET", "HEAD"):
        return Answer(405, b"GET only\n")
    if path == "/healthz":
        return Answer(200, b"ok\n")
    if path == "/json" or (path == "/" and "application/json" in accept):
        return Answer(200, json.dumps({"ip": address}).encode() + b"\n", "application/json")
    if path == "/":
        return Answer(200, address.encode() + b"\n")
    return Answer(404, b"ask for /\n")


def caller(address: str) -> str:
    """The peer's address as an IPv4 address where it is one."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


class Echo:
    """The service's side of each connection."""

    def __init__(self, budget: Budget | None = None, at_once: int = AT_ONCE) -> None:
        self._budget = budget or Budget()
        self._room = at_once

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and close."""
        if self._room <= 0:
            writer.close()
            return
        self._room -= 1
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._answer(reader, writer)
        except (TimeoutError, OSError, h11.ProtocolError, ValueError):
            pass
        finally:
            self._room += 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = caller(writer.get_extra_info("peername")[0])
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        try:
            request = await _request(connection, reader)
        except h11.RemoteProtocolError:
            request = None
        minute = int(asyncio.get_running_loop().time() // 60)
        if request is None:
            said = Answer(400, b"not a request\n")
        elif not self._budget.allow(address, minute):
            said = Answer(429, b"too many requests\n")
        else:
            accept = dict(request.headers).get(b"accept", b"").decode("latin-1")
            said = answer(request.method.decode(), request.target.decode("latin-1"), accept, address)
        writer.write(_written(said, head=request is not None and request.method == b"HEAD"))
        await writer.drain()


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        connection.receive_data(await reader.read(4096))


def _written(said: Answer, *, head: bool) -> bytes:
    reasons = {
        200: "OK",
        400: "Bad Request",
        404: "Not Found",
        405: "Method Not Allowed",
        429: "Too Many Requests",
    }
    lines = (
        f"HTTP/1.1 {said.status} {reasons[said.status]}",
        f"Content-Type: {said.kind}",
        f"Content-Length: {len(said.body)}",
        "Cache-Control: no-store",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + (b"" if head else said.body)


async def start(host: str, port: int, echo: Echo | None = None) -> asyncio.Server:
    """Listen; the caller closes. Raises OSError."""
    served = echo or Echo()
    return await asyncio.start_server(served.serve, host, port, limit=HEAD_LIMIT, backlog=128)
