"""The forwarder: the one HTTP proxy a guest can reach, on a socket bound inside its network namespace.

It parses every request of a kept connection, dials the exit for each, and never passes a tunnel's first
bytes or a second request unread. What it decides is `proxy`'s; how it gets out is `forwarder_exit`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import h11

from transom_keeper.forwarder_exit import BUFFER, Exit, exit_named
from transom_keeper.forwarder_line import Line
from transom_keeper.forwarder_tunnel import join
from transom_keeper.proxy import (
    ProxyError,
    Target,
    downstream_response,
    error_page,
    target_of,
    upstream_request,
)


@dataclass(frozen=True, slots=True)
class ForwarderLimits:
    """Thresholds of one machine's forwarder; seconds and counts."""

    connections: int = 256
    """At once. Chromium opens 32 to a proxy."""
    requests: int = 1_000
    """On one kept connection."""
    head_s: float = 60.0
    """For a request's head to arrive whole, an idle kept connection included."""
    dial_s: float = 20.0
    """For the exit to connect, all addresses together."""
    response_s: float = 300.0
    """For a response to begin: a long poll may take minutes."""
    body_s: float = 120.0
    """For the next piece of a body, and for a reader to make room."""
    tunnel_idle_s: float = 900.0
    half_closed_s: float = 120.0


class Forwarder:
    """Serves on `listener`, a listening TCP socket that it owns, through the exit named `none` or `direct`.

    `way` replaces the named exit. Raises ValueError for an exit that does not exist.
    """

    def __init__(
        self,
        listener: socket.socket,
        exit: str,
        *,
        way: Exit | None = None,
        limits: ForwarderLimits | None = None,
    ) -> None:
        self._listener = listener
        self._way = way or exit_named(exit)
        self._limits = limits or ForwarderLimits()
        self._counts: Counter[str] = Counter()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to serve."""
        self._server = await asyncio.start_server(self._accept, sock=self._listener, limit=BUFFER)

    async def close(self) -> None:
        """End every connection and stop listening. Idempotent."""
        if self._server is not None:
            self._server.close()
        self._listener.close()
        serving = tuple(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    def counters(self) -> dict[str, str]:
        """Decimal text by name: connections, requests, tunnels, bytes, and how requests failed by cause."""
        fixed = dict.fromkeys(("connections", "requests", "tunnels", "bytes_up", "bytes_down"), 0)
        numbers = {**fixed, "open": len(self._serving), **self._counts}
        return {name: str(number) for name, number in numbers.items()}

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._counts["connections"] += 1
        task = asyncio.ensure_future(self._serve(Line((reader, writer), h11.SERVER)))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, guest: Line) -> None:
        linger, flush_s = False, self._limits.body_s
        try:
            if len(self._serving) > self._limits.connections:
                raise ProxyError(503, "too_many", "This machine has too many connections open.")
            for _ in range(self._limits.requests):
                if not await self._request(guest):
                    break
        except ProxyError as error:
            linger = await self._refuse(guest, error)
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint
            refused = ProxyError(status, "request", "The request is not HTTP that a proxy takes.")
            linger = await self._refuse(guest, refused)
        except (OSError, TimeoutError, h11.LocalProtocolError):
            self._counts["failed_broken"] += 1
            flush_s = 0.0
        except asyncio.CancelledError:
            flush_s = 0.0
            raise
        finally:
            await guest.close(flush_s=flush_s, linger=linger)

    async def _request(self, guest: Line) -> bool:
        """Serve one request; True when the connection can carry another."""
        try:
            request = await guest.receive(self._limits.head_s)
        except TimeoutError:
            return False
        if not isinstance(request, h11.Request):
            return False
        self._counts["requests"] += 1
        target = target_of(request)
        site = await self._dial(target)
        if target.path is None:
            await self._tunnel(guest, site)
            return False
        return await self._forward(guest, site, upstream_request(request, target))

    async def _dial(self, target: Target) -> Line:
        try:
            async with asyncio.timeout(self._limits.dial_s):
                streams = await self._way.dial(target.host, target.port)
        except TimeoutError as error:
            raise ProxyError(504, "timeout", f"{target.host} did not answer in time.") from error
        return Line(streams, h11.CLIENT)

    async def _tunnel(self, guest: Line, site: Line) -> None:
        flush_s = 0.0
        try:
            if not isinstance(await guest.receive(self._limits.head_s), h11.EndOfMessage):
                raise ProxyError(400, "request", "A CONNECT request has no body.")
            established = h11.Response(status_code=200, headers=[], reason=b"Connection established")
            await guest.send(established, self._limits.body_s)
            self._counts["tunnels"] += 1
            self._pass_early(guest, site)
            ended = await join(
                (guest.reader, guest.writer),
                (site.reader, site.writer),
                up=self._count_up,
                down=self._count_down,
                idle_s=self._limits.tunnel_idle_s,
                half_closed_s=self._limits.half_closed_s,
            )
            self._counts[f"tunnels_{ended}"] += 1
            if ended != "done":
                raise ConnectionError(f"the tunnel was {ended}")
            flush_s = self._limits.body_s
        finally:
            await site.close(flush_s=flush_s)

    def _pass_early(self, guest: Line, site: Line) -> None:
        """Pass on what came right behind the request, as some clients send their first bytes."""
        early, _ = guest.http.trailing_data
        site.writer.write(early)
        self._count_up(len(early))

    async def _forward(self, guest: Line, site: Line, request: h11.Request) -> bool:
        upload: asyncio.Task[None] | None = None
        try:
            await self._to_site(site, request)
            upload = asyncio.ensure_future(self._upload(guest, site))
            await self._download(site, guest)
        finally:
            if upload is not None:
                upload.cancel()
                await asyncio.gather(upload, return_exceptions=True)
            await site.close()
        if guest.http.our_state is not h11.DONE or guest.http.their_state is not h11.DONE:
            return False
        guest.http.start_next_cycle()
        return True

    async def _upload(self, guest: Line, site: Line) -> None:
        """The request's body. Where it breaks off on the way in, the site is cut off too; where the site
        takes no more, its response decides."""
        try:
            async with contextlib.aclosing(self._body_of(guest)) as body:
                async for piece in body:
                    with contextlib.suppress(OSError, TimeoutError):
                        await site.send(h11.Data(data=piece), self._limits.body_s)
                        self._count_up(len(piece))
            with contextlib.suppress(OSError, TimeoutError):
                await site.send(h11.EndOfMessage(), self._limits.body_s)
        except (OSError, TimeoutError, h11.ProtocolError):
            site.writer.transport.abort()

    async def _body_of(self, guest: Line) -> AsyncGenerator[bytes, None]:
        if guest.http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            await guest.send(go_on, self._limits.body_s)
        while isinstance(event := await guest.receive(self._limits.body_s), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise ConnectionError("the guest ended in the middle of its request")

    async def _download(self, site: Line, guest: Line) -> None:
        response = downstream_response(await self._response(site))
        await guest.send(response, self._limits.body_s)
        while not isinstance(event := await self._piece(site), h11.EndOfMessage):
            await guest.send(h11.Data(data=event.data), self._limits.body_s)
            self._count_down(len(event.data))
        await guest.send(h11.EndOfMessage(), self._limits.body_s)

    async def _piece(self, site: Line) -> h11.Data | h11.EndOfMessage:
        try:
            event = await site.receive(self._limits.body_s)
        except h11.RemoteProtocolError as error:
            raise ConnectionError("the site's response broke off") from error
        if isinstance(event, h11.Data | h11.EndOfMessage):
            return event
        raise ConnectionError("the site ended in the middle of its response")

    async def _response(self, site: Line) -> h11.Response:
        """The final response's head; interim ones are for this hop and end here."""
        try:
            async with asyncio.timeout(self._limits.response_s):
                while True:
                    event = await site.receive(self._limits.response_s)
                    if isinstance(event, h11.Response):
                        return event
                    if not isinstance(event, h11.InformationalResponse):
                        raise ProxyError(502, "site", "The site closed without an answer.")
        except TimeoutError as error:
            raise ProxyError(504, "timeout", "The site did not answer in time.") from error
        except (OSError, h11.RemoteProtocolError) as error:
            raise ProxyError(502, "site", "The site's answer cannot be read.") from error

    async def _to_site(self, site: Line, request: h11.Request) -> None:
        try:
            await site.send(request, self._limits.body_s)
        except (OSError, TimeoutError) as error:
            raise ProxyError(502, "site", "The site closed the connection.") from error

    async def _refuse(self, guest: Line, error: ProxyError) -> bool:
        """Send the error page where the response has not begun; True when its reader should have time."""
        self._counts[f"failed_{error.cause}"] += 1
        if guest.http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return False
        page, body = error_page(error)
        # h11 knows no other way to ask whether a body may follow: to HEAD it may not.
        with contextlib.suppress(OSError, TimeoutError, h11.LocalProtocolError):
            await guest.send(page, self._limits.body_s)
            await guest.send(h11.Data(data=body), self._limits.body_s)
        return error.cause != "too_many"

    def _count_up(self, size: int) -> None:
        self._counts["bytes_up"] += size

    def _count_down(self, size: int) -> None:
        self._counts["bytes_down"] += size
